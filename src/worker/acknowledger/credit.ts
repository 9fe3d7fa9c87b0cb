import { LIMITS } from '../../config/limits.ts';
import type { Budget } from '../accumulator/budget.ts';

/** A stream whose credit did not rise when it should have. */
export interface Starved {
  /** It may rise now. */
  relieved(): void;
}

/**
 * What the connections of one worker may send ahead of what is settled, shared out of its budget:
 *
 *   window of each = overcommit x what the buffer holds / connections,
 *                    at least one greatest frame, at most `LIMITS.creditBytes`
 *
 * While the budget is pressed nothing rises; who wanted more is told when that is over. The grant
 * of a client that has much to read waits too, and is looked at again some time later.
 */
export class Credit {
  readonly maxFrameBytes: number;
  readonly budget: Budget;
  #streams = 0;
  #starved = new Set<Starved>();
  /** Of clients that have much to read. */
  #delayed = new Set<Starved>();
  #looksLater = false;

  constructor(budget: Budget, maxFrameBytes: number) {
    this.budget = budget;
    this.maxFrameBytes = maxFrameBytes;
    budget.onRelief(() => this.#relieve());
  }

  /** Payload bytes that a connection may be ahead of what is settled. */
  get windowBytes(): number {
    const { maxFrameBytes } = this;
    const share = (LIMITS.creditOvercommit * this.budget.eventLimitBytes) / this.#streams;
    const most = Math.max(LIMITS.creditBytes, 2 * maxFrameBytes);
    return Math.floor(Math.max(maxFrameBytes, Math.min(most, share)));
  }

  /** A connection begins. @returns the bytes of its first grant: one frame while pressed */
  join(): number {
    this.#streams++;
    return this.budget.pressed ? this.maxFrameBytes : this.windowBytes;
  }

  /** The connection is gone. */
  leave(stream: Starved): void {
    this.#streams--;
    this.#starved.delete(stream);
    this.#delayed.delete(stream);
  }

  /**
   * Whether a grant may rise now; if not, `stream` is told when it may.
   * @param isBehind its client has much to read
   */
  mayRise(stream: Starved, isBehind: boolean): boolean {
    if (this.budget.pressed) {
      this.#starved.add(stream);
      return false;
    }
    if (isBehind) this.#delay(stream);
    return !isBehind;
  }

  /** One timer for all, while there are any. */
  #delay(stream: Starved): void {
    this.#delayed.add(stream);
    if (this.#looksLater) return;
    this.#looksLater = true;
    setTimeout(() => {
      this.#looksLater = false;
      const delayed = this.#delayed;
      this.#delayed = new Set();
      for (const each of delayed) each.relieved();
    }, LIMITS.nackDebt.lookMs);
  }

  #relieve(): void {
    const starved = this.#starved;
    this.#starved = new Set();
    for (const stream of starved) stream.relieved();
  }
}
