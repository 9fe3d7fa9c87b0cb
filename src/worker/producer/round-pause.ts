/** Pause between two rounds of a loop; requests in between shorten it. */
export class RoundPause {
  readonly #nextRoundMs: () => number;
  #timer: NodeJS.Timeout | undefined;
  /** Ends the pause; undefined = there is none. */
  #resolve: (() => void) | undefined;

  /** @param nextRoundMs returns the time of the next round, on the monotonic clock */
  constructor(nextRoundMs: () => number) {
    this.#nextRoundMs = nextRoundMs;
  }

  /** Resolves at the time of the next round. */
  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.rearm();
    });
  }

  /** The next round may be due earlier now. */
  rearm(): void {
    if (this.#resolve === undefined) return;
    clearTimeout(this.#timer);
    const waitMs = Math.max(0, this.#nextRoundMs() - performance.now());
    this.#timer = setTimeout(() => this.end(), Math.ceil(waitMs));
  }

  /** Ends the pause at once. */
  end(): void {
    clearTimeout(this.#timer);
    const resolve = this.#resolve;
    this.#resolve = undefined;
    resolve?.();
  }
}
