import assert from 'node:assert/strict';
import { LIMITS } from '../../../config/limits.ts';

/**
 * Slots for bodies that wait for decompression or decoding, shared among their senders. A sender
 * may acquire one while it holds fewer than are free: a single sender gets half of them, n senders
 * together n / (n + 1), and a sender without a slot gets one as long as any is free.
 */
export class BodySlots {
  #used = 0;
  readonly #bySender = new Map<string, number>();

  /** Slots in use. */
  get used(): number {
    return this.#used;
  }

  /** Acquires a slot until {@link release}. @returns whether one was free for `sender` */
  acquire(sender: string): boolean {
    const held = this.#bySender.get(sender) ?? 0;
    if (held >= LIMITS.waitingBodies - this.#used) return false;
    this.#used++;
    this.#bySender.set(sender, held + 1);
    return true;
  }

  release(sender: string): void {
    const held = this.#bySender.get(sender);
    assert(held !== undefined, 'only a sender with a slot releases one');
    this.#used--;
    if (held === 1) this.#bySender.delete(sender);
    else this.#bySender.set(sender, held - 1);
  }
}
