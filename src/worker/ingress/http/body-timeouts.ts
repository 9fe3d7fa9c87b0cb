import { LIMITS } from '../../../config/limits.ts';

/** A body that has not arrived completely. */
export interface IncomingBody {
  /** Bytes that have arrived, up to `LIMITS.bodyBytes`. */
  bytes: number;
  /** Bytes that had arrived at the last check. */
  checkedBytes: number;
  /** Number of checks, except while the body was paused. */
  checks: number;
  /** Time left without another byte. */
  leftMs: number;
  /** Index among the watched bodies. */
  index: number;
  /** Reading is paused: the client cannot send. */
  readonly paused: boolean;
  /** Resets the idle timeout of uWebSockets.js. */
  keepAlive(): void;
  /** Ends the body because its time is over. */
  timedOut(): void;
}

/**
 * Bounds the time that bodies take to arrive by a minimum rate. A body may fall behind that rate by
 * up to a grace period, and regains time with faster bytes, up to the grace period. It may
 * therefore pause for the grace period, and takes no longer than that plus its bytes at the minimum
 * rate.
 *
 * uWebSockets.js requires 16 KiB per second of slow bodies and cuts them without a response, 8 to
 * 12 s after they began or were kept alive; they are kept alive here before that. Checks are
 * counted instead of time: after a stall of the event loop, the bytes that arrived meanwhile are
 * read first.
 */
export class BodyTimeouts {
  readonly #bytesPerSecond: number;
  /**
   * An array, since a Set with constant insertions and deletions retained deleted entries until a
   * full garbage collection.
   */
  readonly #bodies: IncomingBody[] = [];
  readonly #timer = setInterval(() => this.#checkAll(), LIMITS.bodyCheckMs);

  /** @param bytesPerSecond minimum rate */
  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  add(body: IncomingBody): void {
    body.index = this.#bodies.push(body) - 1;
  }

  /** Removes a body, if present. */
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
    // Backwards: removing a body that timed out moves the last one to its index.
    for (let index = this.#bodies.length - 1; index >= 0; index--) {
      const body = this.#bodies[index]!;
      if (!body.paused) this.#check(body);
    }
  }

  #check(body: IncomingBody): void {
    const gainedMs = ((body.bytes - body.checkedBytes) / this.#bytesPerSecond) * 1_000;
    body.checkedBytes = body.bytes;
    body.checks++;
    body.leftMs = Math.min(LIMITS.bodyGraceMs, body.leftMs + gainedMs) - LIMITS.bodyCheckMs;
    if (body.leftMs < 0) body.timedOut();
    else if (body.checks % LIMITS.bodyProlongChecks === 0) body.keepAlive();
  }
}
