import assert from 'node:assert/strict';
import { LIMITS } from '../../config/limits.ts';
import { type Budget, sizeClass } from './budget.ts';

/** Memory of batches: the budget of a worker, or the share that a topic has in it. */
export type BatchMemory = Pick<
  Budget,
  | 'eventLimitBytes'
  | 'underPressure'
  | 'acceptsFrames'
  | 'charge'
  | 'forceCharge'
  | 'release'
  | 'allocate'
  | 'forceAllocate'
  | 'deallocate'
>;

/**
 * Share of a topic in the budget of a worker: a fraction of what the other topics leave. A topic
 * alone may use the fraction of the whole budget; topics with a fraction of 0.5 that become stuck
 * one after the other hold a half, a quarter, an eighth. So stuck topics always leave room for
 * others.
 */
export class BudgetShare implements BatchMemory {
  readonly #budget: Budget;
  #fraction: number;
  readonly #minBytes: number;
  #usedBytes = 0;
  #underPressure = false;

  /**
   * @param fraction above 0, up to 1
   * @param minBytes minimum of its limit, so that it holds any event, if the budget has room
   */
  constructor(budget: Budget, fraction: number, minBytes = 0) {
    this.#budget = budget;
    this.#minBytes = minBytes;
    this.#fraction = fraction;
    this.fraction = fraction;
  }

  /** Changes the fraction, above 0 and up to 1. Memory in use stays. */
  set fraction(fraction: number) {
    assert(fraction > 0 && fraction <= 1, 'a share is a part of the budget');
    this.#fraction = fraction;
    this.#add(0);
    if (this.#underPressure) this.checkPressure();
  }

  /** Bytes in use by the topic's events, at most {@link eventLimitBytes} unless forced. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** The current limit, which falls while other topics use more. */
  get eventLimitBytes(): number {
    const others = this.#budget.eventBytes - this.#usedBytes;
    return Math.max(this.#minBytes, this.#fraction * (this.#budget.eventLimitBytes - others));
  }

  get underPressure(): boolean {
    return this.#underPressure;
  }

  get acceptsFrames(): boolean {
    return this.#usedBytes < this.eventLimitBytes * (1 - LIMITS.frameRoom);
  }

  charge(bytes: number): boolean {
    if (!this.#fits(bytes) || !this.#budget.charge(bytes)) return false;
    this.#add(bytes);
    return true;
  }

  forceCharge(bytes: number): void {
    this.#budget.forceCharge(bytes);
    this.#add(bytes);
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes;
    assert(this.#usedBytes >= 0, 'more was released than charged');
    this.#budget.release(bytes);
  }

  allocate(bytes: number): Buffer | undefined {
    const buffer = this.#fits(sizeClass(bytes)) ? this.#budget.allocate(bytes) : undefined;
    if (buffer !== undefined) this.#add(buffer.length);
    return buffer;
  }

  forceAllocate(bytes: number): Buffer {
    const buffer = this.#budget.forceAllocate(bytes);
    this.#add(buffer.length);
    return buffer;
  }

  deallocate(buffer: Buffer): void {
    this.#usedBytes -= buffer.length;
    assert(this.#usedBytes >= 0, 'more was released than charged');
    this.#budget.deallocate(buffer);
  }

  /** Ends the pressure below the low-water mark. Called by the budget after each release. */
  checkPressure(): void {
    if (this.#usedBytes >= this.eventLimitBytes * LIMITS.highWater.resume) return;
    this.#underPressure = false;
    this.#budget.pressedShares.delete(this);
    this.#budget.pressureEnded();
  }

  #fits(bytes: number): boolean {
    return this.#usedBytes + bytes <= this.eventLimitBytes;
  }

  #add(bytes: number): void {
    this.#usedBytes += bytes;
    if (this.#underPressure) return;
    if (this.#usedBytes < this.eventLimitBytes * LIMITS.highWater.stop) return;
    this.#underPressure = true;
    this.#budget.pressedShares.add(this);
  }
}
