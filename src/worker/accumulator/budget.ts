import assert from 'node:assert/strict';
import { KIB, LIMITS } from '../../config/limits.ts';

const SMALLEST = KIB;

/**
 * Byte budget of a worker, and the pool of its buffers.
 *
 * It is charged with the buffers in use, the bookkeeping of their events and of rejections not yet
 * sent, and the copies made by requests in flight: `reserve` keeps room for these copies, so that
 * full lanes can always be sent. Free buffers are kept for reuse within the remaining budget.
 *
 * It is *under pressure* from the high-water mark (`LIMITS.highWater`) until the low one.
 */
export class Budget {
  readonly limitBytes: number;
  #reserveBytes = 0;
  #usedBytes = 0;
  #copyBytes = 0;
  #freeBytes = 0;
  readonly #free = new Map<number, Buffer[]>();
  #underPressure = false;
  readonly #onPressure: (() => void)[] = [];
  readonly #onPressureEnd: (() => void)[] = [];
  /**
   * Bytes in use by shares of topics: all; those above their high-water marks; those below, beyond
   * the guaranteed parts.
   */
  readonly shared = { usedBytes: 0, excessBytes: 0, baseBytes: 0 };
  /** Shares above their high-water marks: notified of each release, which may end that. */
  readonly pressedShares = new Set<{ checkPressure(): void }>();

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  /** Bytes in use, including copies of requests. */
  get usedBytes(): number {
    return this.#usedBytes + this.#copyBytes;
  }

  /** Bytes in use by events, at most {@link eventLimitBytes} unless forced. */
  get eventBytes(): number {
    return this.#usedBytes;
  }

  /** The limit less the reserve for copies of requests. */
  get eventLimitBytes(): number {
    return this.limitBytes - this.#reserveBytes;
  }

  /** Above the high-water mark, or not yet below the low one since: senders are slowed down. */
  get underPressure(): boolean {
    return this.#underPressure;
  }

  /** Whether a new frame may use the remaining bytes (see `LIMITS.frameRoom`). */
  get acceptsFrames(): boolean {
    return this.#usedBytes < this.eventLimitBytes * (1 - LIMITS.frameRoom);
  }

  /** Calls `listener` whenever pressure begins, within an allocation: it must not release memory. */
  onPressure(listener: () => void): void {
    this.#onPressure.push(listener);
  }

  /** Calls `listener` whenever the pressure ends, that of the budget or of a share. */
  onPressureEnd(listener: () => void): void {
    this.#onPressureEnd.push(listener);
  }

  /** Bytes of free buffers kept for reuse. */
  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** Reserves `bytes` for copies of requests, up to half of the budget. */
  reserve(bytes: number): void {
    assert(bytes >= 0 && bytes <= this.limitBytes / 2, 'the reserve leaves room for events');
    this.#reserveBytes = bytes;
    this.#shrink();
  }

  /** Charges `bytes` of bookkeeping. @returns false if the budget has no room */
  charge(bytes: number): boolean {
    if (!this.#fits(bytes)) return false;
    this.#add(bytes);
    this.#shrink();
    return true;
  }

  /** Charges `bytes` even beyond the limit, for data that must be kept. */
  forceCharge(bytes: number): void {
    this.#add(bytes);
    this.#shrink();
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes;
    assert(this.#usedBytes >= 0, 'more was released than charged');
    if (this.pressedShares.size > 0) for (const share of this.pressedShares) share.checkPressure();
    if (!this.#underPressure) return;
    if (this.#usedBytes >= this.eventLimitBytes * LIMITS.highWater.resume) return;
    this.#underPressure = false;
    this.pressureEnded();
  }

  /** Notifies the listeners that wait for the budget or for a share. */
  pressureEnded(): void {
    for (const listener of this.#onPressureEnd) listener();
  }

  /** Counts copies of a request, which use the reserve; negative when the request ends. */
  copies(bytes: number): void {
    this.#copyBytes += bytes;
    assert(this.#copyBytes >= 0, 'more copies were released than made');
  }

  /** Allocates and charges a buffer of at least `bytes`; undefined = the budget has no room. */
  allocate(bytes: number): Buffer | undefined {
    const size = sizeClass(bytes);
    return this.#fits(size) ? this.forceAllocate(size) : undefined;
  }

  /** Allocates a buffer of at least `bytes` even beyond the limit, for events already accepted. */
  forceAllocate(bytes: number): Buffer {
    const size = sizeClass(bytes);
    this.#add(size);
    const buffer = this.#free.get(size)?.pop();
    if (buffer !== undefined) this.#freeBytes -= size;
    this.#shrink();
    return buffer ?? Buffer.allocUnsafeSlow(size);
  }

  /** Releases a buffer of {@link allocate} into the pool. */
  deallocate(buffer: Buffer): void {
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

  #add(bytes: number): void {
    this.#usedBytes += bytes;
    if (this.#usedBytes < this.eventLimitBytes * LIMITS.highWater.stop || this.#underPressure)
      return;
    this.#underPressure = true;
    for (const listener of this.#onPressure) listener();
  }

  /** Drops free buffers, largest first, until the rest fits into the remaining budget. */
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

/** Rounds up to a power of two, so that lanes can reuse each other's buffers. */
export function sizeClass(bytes: number): number {
  return Math.max(SMALLEST, 2 ** Math.ceil(Math.log2(bytes)));
}
