/** Work that is too long for one turn of the loop. */
export interface Sliced {
  /** Does a slice of it. @returns whether there is more */
  next(): boolean;
  /** {@link next} has thrown: it is not called again. */
  failed(error: unknown): void;
}

/**
 * Does a slice in each turn of the loop, so that what else comes is served between: one piece of
 * work after the other, since what is done sooner leaves sooner.
 */
export class Slicer {
  readonly #works: Sliced[] = [];

  add(work: Sliced): void {
    if (this.#works.push(work) === 1) setImmediate(() => this.#turn());
  }

  #turn(): void {
    const work = this.#works[0]!;
    let more = false;
    try {
      more = work.next();
    } catch (error) {
      work.failed(error);
    }
    if (!more) this.#works.shift();
    if (this.#works.length > 0) setImmediate(() => this.#turn());
  }
}
