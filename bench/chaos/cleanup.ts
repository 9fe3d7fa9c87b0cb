import type { Lifetime } from '../../testing/lifetime.ts';

/** Cleanup callbacks, run in reverse order of registration. */
export class Cleanup implements Lifetime {
  readonly #ends: (() => unknown)[] = [];

  after(end: () => unknown): void {
    this.#ends.push(end);
  }

  /** Runs all callbacks even if some fail. @throws the first failure */
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
