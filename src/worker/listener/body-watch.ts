import { LIMITS } from '../../limits.ts';

/** A body of which something is still to come. */
export interface Arriving {
  /** How often it was looked at. */
  looks: number;
  /** Where it stands among those that are watched. */
  place: number;
  /** Tells uWebSockets.js that it is not idle. */
  prolong(): void;
  /** Its time is over. */
  late(): void;
}

/**
 * Bounds the time that bodies take to arrive. uWebSockets.js has a bound of its own, on slow ones
 * alone: it cuts them without a word, 8 to 12 s after they began or were prolonged. Looks are
 * counted, not time: when the loop has stood still, what has come meanwhile is read first.
 */
export class BodyWatch {
  /**
   * No Set: added to and deleted from all the time, it kept some of what was deleted until a full
   * collection.
   */
  readonly #bodies: Arriving[] = [];
  readonly #timer = setInterval(() => this.#look(), LIMITS.bodyLookMs);

  add(body: Arriving): void {
    body.place = this.#bodies.push(body) - 1;
  }

  /** Those that are not watched are left alone. */
  remove(body: Arriving): void {
    if (this.#bodies[body.place] !== body) return;
    const last = this.#bodies.pop()!;
    if (last === body) return;
    last.place = body.place;
    this.#bodies[last.place] = last;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const looks = LIMITS.bodyMs / LIMITS.bodyLookMs;
    // From the end: one that is late is removed meanwhile, and the last takes its place.
    for (let index = this.#bodies.length - 1; index >= 0; index--) {
      const body = this.#bodies[index]!;
      body.looks++;
      if (body.looks > looks) body.late();
      else if (body.looks === Math.floor(looks / 2)) body.prolong();
    }
  }
}
