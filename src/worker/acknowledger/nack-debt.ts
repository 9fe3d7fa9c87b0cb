import { LIMITS } from '../../config/limits.ts';

/**
 * Bytes of nacks recently sent to one client. They decay with time, and with each accepted event of
 * the client: with mostly valid events, the debt stays low.
 */
export class NackDebt {
  #bytes = 0;
  /** Time of the last decay, ms of the monotonic clock. */
  #countedMs = 0;

  /** Adds a nack of `bytes`, sent at `nowMs`. */
  add(bytes: number, nowMs: number): void {
    this.#count(nowMs);
    this.#bytes += bytes;
  }

  /** Subtracts for accepted events that are settled. */
  accepted(events: number): void {
    this.#bytes = Math.max(0, this.#bytes - events * LIMITS.nackDebt.bytesPerEvent);
  }

  /** Returns whether the debt is too high for more credit. */
  isHigh(nowMs: number): boolean {
    this.#count(nowMs);
    return this.#bytes > LIMITS.nackDebt.bytes;
  }

  #count(nowMs: number): void {
    const passedMs = nowMs - this.#countedMs;
    const worn = (passedMs / 1000) * LIMITS.nackDebt.bytesPerSecond;
    this.#bytes = Math.max(0, this.#bytes - worn);
    this.#countedMs = nowMs;
  }
}
