/** In ms; `least` comes on top. The gateway that refuses a client now may accept it later. */
const PAUSES = {
  connecting: { least: 0, first: 250, last: 10_000 },
  posting: { least: 0, first: 250, last: 10_000 },
  refused: { least: 2_500, first: 5_000, last: 57_500 },
};

type Kind = keyof typeof PAUSES;

/** Pauses after failures; each doubles the next of its kind. */
export class Pauses {
  readonly #failures = { connecting: 0, posting: 0, refused: 0 };

  /** Returns any part of what doubles with each failure: clients must not come all at once. */
  nextMs(kind: Kind): number {
    const { least, first, last } = PAUSES[kind];
    return least + Math.random() * Math.min(last, first * 2 ** this.#failures[kind]++);
  }

  end(kind: Kind): void {
    this.#failures[kind] = 0;
  }
}
