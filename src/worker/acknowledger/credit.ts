import { LIMITS } from '../../limits.ts';
import type { Budget } from '../accumulator/budget.ts';

/** A stream whose credit did not rise since the buffer was pressed. */
export interface Starved {
  /** The buffer has room again. */
  relieved(): void;
}

/**
 * What the connections of one worker may send ahead of what is settled, shared out of its budget:
 *
 *   window of each = overcommit x what the buffer holds / connections,
 *                    at least one greatest frame, at most `LIMITS.creditBytes`
 *
 * While the budget is pressed nothing rises; who wanted more is told when that is over.
 */
export class Credit {
  readonly maxFrameBytes: number;
  readonly #budget: Budget;
  #streams = 0;
  #starved = new Set<Starved>();

  constructor(budget: Budget, maxFrameBytes: number) {
    this.#budget = budget;
    this.maxFrameBytes = maxFrameBytes;
    budget.onRelief(() => this.#relieve());
  }

  /** Payload bytes that a connection may be ahead of what is settled. */
  get windowBytes(): number {
    const { maxFrameBytes } = this;
    const share = (LIMITS.creditOvercommit * this.#budget.eventLimitBytes) / this.#streams;
    const most = Math.max(LIMITS.creditBytes, 2 * maxFrameBytes);
    return Math.floor(Math.max(maxFrameBytes, Math.min(most, share)));
  }

  /** A connection begins. @returns the bytes of its first grant: one frame while pressed */
  join(): number {
    this.#streams++;
    return this.#budget.pressed ? this.maxFrameBytes : this.windowBytes;
  }

  /** The connection is gone. */
  leave(stream: Starved): void {
    this.#streams--;
    this.#starved.delete(stream);
  }

  /** Whether a grant may rise now; if not, `stream` is told when it may. */
  mayRise(stream: Starved): boolean {
    if (!this.#budget.pressed) return true;
    this.#starved.add(stream);
    return false;
  }

  #relieve(): void {
    const starved = this.#starved;
    this.#starved = new Set();
    for (const stream of starved) stream.relieved();
  }
}
