/** Choices of an attempt: always the first option in attempt 0, pseudo-random ones after that. */
export class Choices {
  readonly #first: boolean;
  #state: number;

  /** @param attempt seed: the same number gives the same choices */
  constructor(attempt: number) {
    this.#first = attempt === 0;
    this.#state = (attempt * 0x9e3779b9 + 1) >>> 0;
  }

  /** Returns an index below `options`; 0 is more likely than any other. */
  pick(options: number): number {
    if (this.#first || options <= 1 || this.#next() % 3 === 0) return 0;
    return this.#next() % options;
  }

  /** Xorshift generator: it only has to vary, and to be the same in every worker. */
  #next(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    this.#state >>>= 0;
    return this.#state;
  }
}
