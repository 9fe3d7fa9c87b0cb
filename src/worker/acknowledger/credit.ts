import { LIMITS } from '../../config/limits.ts';
import type { Budget } from '../accumulator/budget.ts';

/** A stream whose credit did not rise when it should have. */
export interface CreditWaiter {
  /** It may rise now. */
  creditAvailable(): void;
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
  #waiting = new Set<CreditWaiter>();
  /** Of clients that have much to read. */
  #delayed = new Set<CreditWaiter>();
  #timerSet = false;

  constructor(budget: Budget, maxFrameBytes: number) {
    this.budget = budget;
    this.maxFrameBytes = maxFrameBytes;
    budget.onRelief(() => this.#notifyWaiting());
  }

  /** Payload bytes that a connection may be ahead of what is settled. */
  get windowBytes(): number {
    const { maxFrameBytes } = this;
    const share = (LIMITS.creditOvercommit * this.budget.eventLimitBytes) / this.#streams;
    const maxBytes = Math.max(LIMITS.creditBytes, 2 * maxFrameBytes);
    return Math.floor(Math.max(maxFrameBytes, Math.min(maxBytes, share)));
  }

  /** A connection begins. @returns the bytes of its first grant: one frame while pressed */
  join(): number {
    this.#streams++;
    return this.budget.pressed ? this.maxFrameBytes : this.windowBytes;
  }

  /** The connection is gone. */
  leave(stream: CreditWaiter): void {
    this.#streams--;
    this.#waiting.delete(stream);
    this.#delayed.delete(stream);
  }

  /**
   * Whether a grant may rise now; if not, `stream` is told when it may.
   * @param isBehind its client has much to read
   */
  mayRise(stream: CreditWaiter, isBehind: boolean): boolean {
    if (this.budget.pressed) {
      this.#waiting.add(stream);
      return false;
    }
    if (isBehind) this.#delay(stream);
    return !isBehind;
  }

  /** One timer for all, while there are any. */
  #delay(stream: CreditWaiter): void {
    this.#delayed.add(stream);
    if (this.#timerSet) return;
    this.#timerSet = true;
    setTimeout(() => {
      this.#timerSet = false;
      const delayed = this.#delayed;
      this.#delayed = new Set();
      for (const each of delayed) each.creditAvailable();
    }, LIMITS.nackDebt.lookMs);
  }

  #notifyWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const stream of waiting) stream.creditAvailable();
  }
}
