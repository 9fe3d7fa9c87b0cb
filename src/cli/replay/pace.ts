/** Chunks per second of a limited rate: each delays the next one, and few events are late. */
const CHUNKS_PER_SECOND = 10;

/** Limit of events per second, without bursts. */
export class Pace {
  readonly #rate: number;
  readonly #now: () => number;
  #nextMs = 0;

  /** @param rate events per second; undefined = no limit */
  constructor(rate = Number.POSITIVE_INFINITY, now: () => number = () => performance.now()) {
    this.#rate = rate;
    this.#now = now;
  }

  /** Maximum number of events to take at once. */
  get chunk(): number {
    return Math.max(1, Math.ceil(this.#rate / CHUNKS_PER_SECOND));
  }

  /** Time until the next events may be taken, ms. */
  get waitMs(): number {
    return Math.max(0, this.#nextMs - this.#now());
  }

  get isDue(): boolean {
    return this.waitMs === 0;
  }

  /** Takes events; the next ones are due once these have used up their time. */
  take(events: number): void {
    this.#nextMs = Math.max(this.#nextMs, this.#now()) + (1_000 * events) / this.#rate;
  }
}
