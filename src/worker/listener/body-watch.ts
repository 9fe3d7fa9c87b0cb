import { LIMITS } from '../../limits.ts';

/** A body of which something is still to come. */
export interface Arriving {
  /** How often it was looked at. */
  looks: number;
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
  readonly #bodies = new Set<Arriving>();

  readonly #timer = setInterval(() => this.#look(), LIMITS.bodyLookMs);

  add(body: Arriving): void {
    this.#bodies.add(body);
  }

  remove(body: Arriving): void {
    this.#bodies.delete(body);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const looks = LIMITS.bodyMs / LIMITS.bodyLookMs;
    for (const body of this.#bodies) {
      body.looks++;
      if (body.looks > looks) body.late();
      else if (body.looks === Math.floor(looks / 2)) body.prolong();
    }
  }
}
