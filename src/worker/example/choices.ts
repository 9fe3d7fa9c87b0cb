/** Decisions of one attempt: the first option each time in attempt 0, then others at random. */
export class Choices {
  readonly #first: boolean;
  #state: number;

  /** @param attempt the same number decides the same */
  constructor(attempt: number) {
    this.#first = attempt === 0;
    this.#state = (attempt * 0x9e3779b9 + 1) >>> 0;
  }

  /** @returns an index below `options`, 0 more often than each of the others */
  pick(options: number): number {
    if (this.#first || options <= 1 || this.#next() % 3 === 0) return 0;
    return this.#next() % options;
  }

  /** Xorshift: what matters is that it varies, and is the same in each worker. */
  #next(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    this.#state >>>= 0;
    return this.#state;
  }
}
