import assert from 'node:assert/strict';
import { KIB, LIMITS } from '../../config/limits.ts';

const SMALLEST = KIB;

/**
 * One worker's byte budget, and the pool that its buffers come from.
 *
 * Charged are the buffers in use, the bookkeeping of the events in them and of those that were
 * refused and whose senders are not told yet, and the copies that requests in flight make of them: `reserve` keeps room for the copies, so that full lanes can
 * always be sent. Free buffers are kept for reuse while they fit beside what is charged.
 *
 * It is *pressed* from the high mark (`LIMITS.highWater`) until it is below the low one.
 */
export class Budget {
  readonly limitBytes: number;
  #reserveBytes = 0;
  #usedBytes = 0;
  #copyBytes = 0;
  #freeBytes = 0;
  readonly #free = new Map<number, Buffer[]>();
  #pressed = false;
  readonly #onRelief: (() => void)[] = [];

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  /** Bytes in use now, copies of requests included. */
  get usedBytes(): number {
    return this.#usedBytes + this.#copyBytes;
  }

  /** Bytes of events in use now; more are refused when they reach {@link eventLimitBytes}. */
  get eventBytes(): number {
    return this.#usedBytes;
  }

  /** The limit without the place that is kept for copies of requests. */
  get eventLimitBytes(): number {
    return this.limitBytes - this.#reserveBytes;
  }

  /** The high mark was reached, and the low one not since: whoever can should send less. */
  get pressed(): boolean {
    return this.#pressed;
  }

  /** Whether a frame that comes now may use what is left (see `LIMITS.frameRoom`). */
  get takesFrames(): boolean {
    return this.#usedBytes < this.eventLimitBytes * (1 - LIMITS.frameRoom);
  }

  /** Calls `listener` whenever the budget is pressed no longer. */
  onRelief(listener: () => void): void {
    this.#onRelief.push(listener);
  }

  /** Bytes of the buffers that are kept for reuse. */
  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** Keeps `bytes` free for copies of requests; at most half of the budget. */
  reserve(bytes: number): void {
    assert(bytes >= 0 && bytes <= this.limitBytes / 2, 'the reserve leaves room for events');
    this.#reserveBytes = bytes;
    this.#shrink();
  }

  /** Charges `bytes` of bookkeeping. @returns false when the budget has no room for it */
  charge(bytes: number): boolean {
    if (!this.#fits(bytes)) return false;
    this.#use(bytes);
    this.#shrink();
    return true;
  }

  /** Charges `bytes` even beyond the limit: for what must be kept all the same. */
  chargeAnyway(bytes: number): void {
    this.#use(bytes);
    this.#shrink();
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes;
    assert(this.#usedBytes >= 0, 'more was released than charged');
    if (!this.#pressed) return;
    if (this.#usedBytes >= this.eventLimitBytes * LIMITS.highWater.resume) return;
    this.#pressed = false;
    for (const listener of this.#onRelief) listener();
  }

  /** Counts copies of a request; they have their place in the reserve. Negative when it ended. */
  copies(bytes: number): void {
    this.#copyBytes += bytes;
    assert(this.#copyBytes >= 0, 'more copies were given back than made');
  }

  /** A buffer of at least `bytes`, charged; undefined when the budget has no room for it. */
  take(bytes: number): Buffer | undefined {
    const size = sizeClass(bytes);
    return this.#fits(size) ? this.takeAnyway(size) : undefined;
  }

  /** A buffer of at least `bytes`, charged even beyond the limit: for what was taken before. */
  takeAnyway(bytes: number): Buffer {
    const size = sizeClass(bytes);
    this.#use(size);
    const buffer = this.#free.get(size)?.pop();
    if (buffer !== undefined) this.#freeBytes -= size;
    this.#shrink();
    return buffer ?? Buffer.allocUnsafeSlow(size);
  }

  /** Gives a buffer of {@link take} back. */
  give(buffer: Buffer): void {
    this.release(buffer.length);
    const list = this.#free.get(buffer.length);
    if (list === undefined) this.#free.set(buffer.length, [buffer]);
    else list.push(buffer);
    this.#freeBytes += buffer.length;
    this.#shrink();
  }

  #fits(bytes: number): boolean {
    return this.#usedBytes + bytes <= this.limitBytes - this.#reserveBytes;
  }

  #use(bytes: number): void {
    this.#usedBytes += bytes;
    if (this.#usedBytes >= this.eventLimitBytes * LIMITS.highWater.stop) this.#pressed = true;
  }

  /** Lets free buffers go, the largest first, until they fit beside what is used and reserved. */
  #shrink(): void {
    const bytes = Math.max(0, this.limitBytes - this.#reserveBytes - this.#usedBytes);
    if (this.#freeBytes <= bytes) return;
    for (const size of [...this.#free.keys()].sort((a, b) => b - a)) {
      const list = this.#free.get(size) ?? [];
      while (list.length > 0 && this.#freeBytes > bytes) {
        list.pop();
        this.#freeBytes -= size;
      }
    }
  }
}

/** Buffers come in powers of two, so that one lane's can serve another. */
function sizeClass(bytes: number): number {
  return Math.max(SMALLEST, 2 ** Math.ceil(Math.log2(bytes)));
}
