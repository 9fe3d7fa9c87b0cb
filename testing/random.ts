/** Seeded generator with the same numbers on every machine (sfc32). */
export class SeededRandom {
  #a: number;
  #b: number;
  #c: number;
  #d = 1;

  /** @param stream streams of one seed are independent */
  constructor(seed: number, stream: string) {
    let hash = 0x811c9dc5;
    for (const character of `${seed}/${stream}`) {
      hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193);
    }
    this.#a = hash | 0;
    this.#b = Math.imul(hash, 0x9e3779b1) | 0;
    this.#c = seed | 0;
    for (let round = 0; round < 12; round++) this.next();
  }

  /** Number in [0, 1). */
  next(): number {
    const sum = (this.#a + this.#b + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11);
    this.#c = (this.#c + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** Integer in [first, last]. */
  int(first: number, last: number): number {
    return first + Math.floor(this.next() * (last - first + 1));
  }

  /** Number in [from, to). */
  between(from: number, to: number): number {
    return from + this.next() * (to - from);
  }

  /** Log-uniform number in [from, to): small values are likely, large ones rare. */
  log(from: number, to: number): number {
    return from * (to / from) ** this.next();
  }

  pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.next() * choices.length)]!;
  }

  shuffled<T>(values: Iterable<T>): T[] {
    const list = [...values];
    for (let at = list.length - 1; at > 0; at--) {
      const other = this.int(0, at);
      [list[at], list[other]] = [list[other]!, list[at]!];
    }
    return list;
  }
}
