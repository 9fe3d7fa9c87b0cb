import { LIMITS } from '../../config/limits.ts';
import type { Budget } from '../accumulator/budget.ts';

/** Buffer that the events of a connection use. */
export interface CreditBuffer {
  readonly eventLimitBytes: number;
  readonly underPressure: boolean;
  /** Bytes that still fit when the pressure begins; undefined = a part of the budget. */
  readonly headroomBytes?: number;
  /** All events of the connection are settled. */
  settled?(): void;
}

/** A stream whose credit could not rise when due. */
export interface CreditWaiter {
  /** Called when its credit may rise. */
  creditAvailable(): void;
}

/**
 * Credit of the connections of one worker: the input that each may send ahead of settled frames, as
 * a share of the budget.
 *
 *   window of each = overcommit x event capacity of the buffer / connections,
 *                    at least one frame of maximum size, at most `LIMITS.creditBytes` or two such
 *                    frames, if that is more; at most the headroom of its buffer
 *
 * While the buffer of a connection is above its high-water mark its credit does not rise. Waiting
 * streams are notified when that ends. A client that has much to read gets no new credit either,
 * and is checked again every `LIMITS.nackDebt.checkMs`.
 */
export class Credit {
  readonly maxFrameBytes: number;
  readonly budget: Budget;
  #streams = 0;
  #waiting = new Set<CreditWaiter>();
  /** Streams of clients that have much to read. */
  #delayed = new Set<CreditWaiter>();
  #timerSet = false;

  constructor(budget: Budget, maxFrameBytes: number) {
    this.budget = budget;
    this.maxFrameBytes = maxFrameBytes;
    budget.onPressureEnd(() => this.#notifyWaiting());
  }

  /** Returns the payload bytes that a connection may be ahead of settled frames. */
  windowBytesOf(buffer: CreditBuffer = this.budget): number {
    const { maxFrameBytes } = this;
    const share = (LIMITS.creditOvercommit * buffer.eventLimitBytes) / this.#streams;
    const maxBytes = Math.max(LIMITS.creditBytes, 2 * maxFrameBytes);
    const { headroomBytes = maxBytes } = buffer;
    return Math.floor(Math.max(maxFrameBytes, Math.min(maxBytes, share, headroomBytes)));
  }

  /** Adds a connection. @returns bytes of its first grant: one frame above the high-water mark */
  join(buffer: CreditBuffer = this.budget): number {
    this.#streams++;
    return buffer.underPressure ? this.maxFrameBytes : this.windowBytesOf(buffer);
  }

  /** Removes a connection. */
  leave(stream: CreditWaiter): void {
    this.#streams--;
    this.#waiting.delete(stream);
    this.#delayed.delete(stream);
  }

  /**
   * Returns whether a grant may rise now; if not, `stream` is notified when it may.
   * @param isBehind the client has much to read
   * @param buffer that the connection uses
   */
  mayRise(stream: CreditWaiter, isBehind: boolean, buffer: CreditBuffer = this.budget): boolean {
    if (buffer.underPressure) {
      this.#waiting.add(stream);
      return false;
    }
    if (isBehind) this.#delay(stream);
    return !isBehind;
  }

  /** Checks the stream again later, with one timer for all delayed streams. */
  #delay(stream: CreditWaiter): void {
    this.#delayed.add(stream);
    if (this.#timerSet) return;
    this.#timerSet = true;
    setTimeout(() => {
      this.#timerSet = false;
      const delayed = this.#delayed;
      this.#delayed = new Set();
      for (const each of delayed) each.creditAvailable();
    }, LIMITS.nackDebt.checkMs);
  }

  #notifyWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const stream of waiting) stream.creditAvailable();
  }
}
