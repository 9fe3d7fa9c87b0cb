import assert from 'node:assert/strict';

/** How many connections each address has; addresses without any are not kept. */
export class PerAddress {
  readonly #max: number;
  readonly #open = new Map<string, number>();

  /** @param max connections of one address */
  constructor(max: number) {
    this.#max = max;
  }

  /** Addresses that have connections. */
  get size(): number {
    return this.#open.size;
  }

  /** Whether `address` may not have one more. */
  isFull(address: string): boolean {
    return (this.#open.get(address) ?? 0) >= this.#max;
  }

  enter(address: string): void {
    this.#open.set(address, (this.#open.get(address) ?? 0) + 1);
  }

  leave(address: string): void {
    const open = this.#open.get(address);
    assert(open !== undefined, 'only who entered leaves');
    if (open === 1) this.#open.delete(address);
    else this.#open.set(address, open - 1);
  }
}
