import { LIMITS } from '../../config/limits.ts';

/**
 * Bytes of nacks that one client was sent lately. They wear off with time, and with each event of
 * the client that is accepted: one whose events are mostly good has none for long.
 */
export class NackDebt {
  #bytes = 0;
  /** When they were counted last, ms of the monotonic clock. */
  #countedMs = 0;

  /** A nack of so many bytes is sent at `nowMs`. */
  add(bytes: number, nowMs: number): void {
    this.#count(nowMs);
    this.#bytes += bytes;
  }

  /** So many events were accepted, and are settled. */
  accepted(events: number): void {
    this.#bytes = Math.max(0, this.#bytes - events * LIMITS.nackDebt.bytesPerEvent);
  }

  /** Returns whether they are too many for more credit. */
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
