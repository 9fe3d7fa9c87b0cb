/** Lines and columns of a text. */

/** A place in a text file, as editors count: both from 1, columns in UTF-16 code units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Converts offsets in a text to positions. */
export class TextPositions {
  readonly #length: number;
  /** Offsets of the first character of each line. */
  readonly #starts: readonly number[];

  constructor(text: string) {
    this.#length = text.length;
    this.#starts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
  }

  /** @param offset in UTF-16 code units; one outside of the text counts as its nearest end */
  at(offset: number): Position {
    const inside = Math.min(Math.max(offset, 0), this.#length);
    let line = 0;
    for (let next = this.#starts.length; line + 1 < next; ) {
      const middle = (line + next) >> 1;
      if (this.#starts[middle]! <= inside) line = middle;
      else next = middle;
    }
    return { line: line + 1, column: inside - this.#starts[line]! + 1 };
  }
}
