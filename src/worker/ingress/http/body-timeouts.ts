import { LIMITS } from '../../../config/limits.ts';

/** A body that has not arrived completely. */
export interface IncomingBody {
  /** Bytes that have arrived, up to `LIMITS.bodyBytes`. */
  bytes: number;
  /** Bytes that had arrived at the last look. */
  checkedBytes: number;
  /** Number of looks, without those while the body was paused. */
  checks: number;
  /** Time that it may still take without a byte. */
  leftMs: number;
  /** Index among the watched bodies. */
  index: number;
  /** This side reads no further for now: the client cannot send. */
  readonly paused: boolean;
  /** Tells uWebSockets.js that it is not idle. */
  keepAlive(): void;
  /** Ends it: its time is over. */
  timedOut(): void;
}

/** Returns the fields of a body without a byte yet. */
export function initialState() {
  return { bytes: 0, checkedBytes: 0, checks: 0, leftMs: LIMITS.bodyGraceMs, index: -1 };
}

/**
 * Bounds the time that bodies take to arrive by their rate. A body may fall up to a grace behind
 * the least rate, and regains what it falls behind by faster bytes, but never more than the grace:
 * so it may pause for that long, and takes at most the grace plus its bytes at the least rate.
 *
 * uWebSockets.js asks slow bodies for 16 KiB per second and cuts them without a response, 8 to 12 s
 * after they began or were prolonged; they are prolonged here before that. Looks are counted, not
 * time: after a stall of the event loop, the bytes that arrived meanwhile are read first.
 */
export class BodyTimeouts {
  readonly #bytesPerSecond: number;
  /**
   * No Set: added to and deleted from all the time, it kept some of what was deleted until a full
   * collection.
   */
  readonly #bodies: IncomingBody[] = [];
  readonly #timer = setInterval(() => this.#checkAll(), LIMITS.bodyLookMs);

  /** @param bytesPerSecond the least rate */
  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  add(body: IncomingBody): void {
    body.index = this.#bodies.push(body) - 1;
  }

  /** Removes a body, if it is watched. */
  remove(body: IncomingBody): void {
    if (this.#bodies[body.index] !== body) return;
    const last = this.#bodies.pop()!;
    if (last === body) return;
    last.index = body.index;
    this.#bodies[last.index] = last;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #checkAll(): void {
    // From the end: one that is late is removed meanwhile, and the last takes its place.
    for (let index = this.#bodies.length - 1; index >= 0; index--) {
      const body = this.#bodies[index]!;
      if (!body.paused) this.#check(body);
    }
  }

  #check(body: IncomingBody): void {
    const gainedMs = ((body.bytes - body.checkedBytes) / this.#bytesPerSecond) * 1_000;
    body.checkedBytes = body.bytes;
    body.checks++;
    body.leftMs = Math.min(LIMITS.bodyGraceMs, body.leftMs + gainedMs) - LIMITS.bodyLookMs;
    if (body.leftMs < 0) body.timedOut();
    else if (body.checks % LIMITS.bodyProlongLooks === 0) body.keepAlive();
  }
}
