/** Received numbers of one client's sequence, stored as the ranges that are missing. */

/** Numbers from `first` to `last`, inclusive. */
export interface Range {
  readonly first: number;
  readonly last: number;
}

/** Classification of a received number. */
export type Arrival =
  | { readonly kind: 'next' }
  /** A number after missing ones. */
  | { readonly kind: 'gap'; readonly missing: Range }
  /** A missing number, which arrives after a greater one. */
  | { readonly kind: 'late' }
  | { readonly kind: 'repeat' }
  /** Below the known range of this client: late or a repeat. */
  | { readonly kind: 'unknown' };

/**
 *          #floor                                               #next
 *  unknown   │ received │ missing │ received │ missing │ received │ not yet
 */
export class Gaps {
  /** Missing numbers, ascending. */
  readonly #missing: Range[] = [];
  #floor: number;
  #next: number;

  /** @param first first received number: nothing is known of lower ones */
  constructor(first: number) {
    this.#floor = first;
    this.#next = first + 1;
  }

  get ranges(): number {
    return this.#missing.length;
  }

  /** Count of numbers currently missing. */
  get missing(): number {
    return this.#missing.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  }

  add(number: number): Arrival {
    if (number < this.#floor) return { kind: 'unknown' };
    if (number < this.#next) return this.#fill(number) ? { kind: 'late' } : { kind: 'repeat' };
    const missing = { first: this.#next, last: number - 1 };
    this.#next = number + 1;
    if (missing.first > missing.last) return { kind: 'next' };
    this.#missing.push(missing);
    return { kind: 'gap', missing };
  }

  /** Drops the oldest missing range. @returns the count of its numbers */
  forgetOldest(): number {
    const range = this.#missing.shift();
    if (range === undefined) return 0;
    this.#floor = range.last + 1;
    return range.last - range.first + 1;
  }

  #fill(number: number): boolean {
    const at = this.#missing.findLastIndex(({ first, last }) => first <= number && number <= last);
    const range = this.#missing[at];
    if (range === undefined) return false;
    const rest = [
      { first: range.first, last: number - 1 },
      { first: number + 1, last: range.last },
    ].filter(({ first, last }) => first <= last);
    this.#missing.splice(at, 1, ...rest);
    return true;
  }
}
