/** Maximum time that work may take at once, at the start and after a while without any. */
export const BURST_MS = 5;
/** Maximum pieces left out in a row, on average, before the clock is read again. */
const GAP_MAX = 63;

/** Bounds optional work to a share of a thread's time, by leaving out random pieces of it. */
export class DutyCycle {
  /** Maximum share of the time, above 0 and up to 1. */
  share: number;
  readonly #now: () => number;
  /** Time that the work may take now; negative = the last piece took more. */
  #availableMs = BURST_MS;
  #seenAtMs: number;
  /** Pieces left out in a row, on average; it adapts to their number and their cost. */
  #gap = 0;
  #skip = 0;

  /** @param now monotonic clock, ms */
  constructor(share: number, now: () => number = () => performance.now()) {
    this.share = share;
    this.#now = now;
    this.#seenAtMs = now();
  }

  /** Returns whether to do the next piece of work: {@link end} follows it. */
  begin(): boolean {
    if (this.#skip > 0) {
      this.#skip--;
      return false;
    }
    const nowMs = this.#now();
    const earnedMs = (nowMs - this.#seenAtMs) * this.share;
    this.#availableMs = Math.min(BURST_MS, this.#availableMs + earnedMs);
    this.#seenAtMs = nowMs;
    const mayWork = this.#availableMs > 0;
    // Reading the clock for each piece would cost time as well.
    if (!mayWork) this.#gap = Math.min(GAP_MAX, 2 * this.#gap + 1);
    else if (this.#availableMs === BURST_MS) this.#gap = Math.floor(this.#gap / 2);
    this.#skip = Math.floor(Math.random() * (2 * this.#gap + 1));
    return mayWork;
  }

  /** Ends a piece of work that {@link begin} has permitted. */
  end(): void {
    this.#availableMs -= this.#now() - this.#seenAtMs;
  }
}
