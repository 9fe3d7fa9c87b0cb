import type { Lifetime } from '../../testing/lifetime.ts';

/** What has to be ended, the last begun first, whatever happens. */
export class Ends implements Lifetime {
  readonly #ends: (() => unknown)[] = [];

  after(end: () => unknown): void {
    this.#ends.push(end);
  }

  /** One that fails keeps none of the others from ending. @throws the first failure */
  async end(): Promise<void> {
    const failures: unknown[] = [];
    for (let end = this.#ends.pop(); end !== undefined; end = this.#ends.pop()) {
      try {
        await end();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
