import assert from 'node:assert/strict';
import { LIMITS } from '../../../config/limits.ts';

/**
 * Places for bodies that wait to be decompressed or decoded, shared by their senders. A sender may
 * take one while it holds fewer than are free: one alone gets half of them, n of them together
 * n / (n + 1), and a sender that has none finds one as long as any is free.
 */
export class BodySlots {
  #used = 0;
  readonly #bySender = new Map<string, number>();

  /** Places that are taken. */
  get used(): number {
    return this.#used;
  }

  /** Takes a place, until {@link release}. @returns whether there was one for `sender` */
  acquire(sender: string): boolean {
    const held = this.#bySender.get(sender) ?? 0;
    if (held >= LIMITS.waitingBodies - this.#used) return false;
    this.#used++;
    this.#bySender.set(sender, held + 1);
    return true;
  }

  release(sender: string): void {
    const held = this.#bySender.get(sender);
    assert(held !== undefined, 'only who has a place leaves it');
    this.#used--;
    if (held === 1) this.#bySender.delete(sender);
    else this.#bySender.set(sender, held - 1);
  }
}
