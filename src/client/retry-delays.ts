/** In ms; `least` is added. A gateway that rejects a client now may accept it later. */
const DELAYS = {
  connecting: { least: 0, first: 250, last: 10_000 },
  posting: { least: 0, first: 250, last: 10_000 },
  refused: { least: 2_500, first: 5_000, last: 57_500 },
};

type Kind = keyof typeof DELAYS;

/** Retry delays; each failure doubles the next one of its kind. */
export class RetryDelays {
  readonly #failures = { connecting: 0, posting: 0, refused: 0 };

  /** Returns a random part of a value that doubles with each failure, to spread clients. */
  nextMs(kind: Kind): number {
    const { least, first, last } = DELAYS[kind];
    return least + Math.random() * Math.min(last, first * 2 ** this.#failures[kind]++);
  }

  end(kind: Kind): void {
    this.#failures[kind] = 0;
  }
}
