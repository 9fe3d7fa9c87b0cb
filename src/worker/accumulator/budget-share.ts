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

/** A topic that may use the whole budget leaves room above the marks, too. */
const HEADROOM_FRACTION_MAX = 0.5;

/**
 * Share of a topic in the budget of a worker, so that stuck topics leave room for others:
 *
 *   - a guaranteed part, which no other topic uses
 *   - below the high-water mark: a fraction of what the other topics leave there
 *   - above it: the same fraction of what they leave above it, for input that clients had credit
 *     for when the pressure began
 *
 * Topics with a fraction of 0.5 that become stuck one after the other hold a half, a quarter, an
 * eighth of the budget without its guaranteed parts. The mark of a topic falls while others use
 * more; what lies above the mark is not available below it, so clients that obey their credit find
 * room however the marks fall.
 */
export class BudgetShare implements BatchMemory {
  readonly #budget: Budget;
  #fraction: number;
  readonly #minBytes: number;
  readonly #guaranteedBytes: number;
  #usedBytes = 0;
  /** Part of the bytes in use that lies above the mark. */
  #excessBytes = 0;
  #underPressure = false;

  /**
   * @param fraction above 0, up to 1
   * @param minBytes minimum of its limit, so that it holds any event, if the budget has room
   */
  constructor(budget: Budget, fraction: number, minBytes = 0) {
    this.#budget = budget;
    this.#minBytes = minBytes;
    this.#guaranteedBytes = guaranteedBytes(budget);
    this.#fraction = fraction;
    this.fraction = fraction;
  }

  /** Changes the fraction, above 0 and up to 1. Memory in use stays. */
  set fraction(fraction: number) {
    assert(fraction > 0 && fraction <= 1, 'a share is a part of the budget');
    this.#fraction = fraction;
    if (this.underPressure) this.checkPressure();
  }

  /** Bytes in use by the topic's events. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** The current limit; `LIMITS.highWater.stop` of it is the mark. */
  get eventLimitBytes(): number {
    return this.#markBytes / LIMITS.highWater.stop;
  }

  /** Bytes that clients may still send when the pressure begins. */
  get headroomBytes(): number {
    const { shared } = this.#budget;
    const others = shared.excessBytes - this.#excessBytes;
    const availableBytes = (1 - LIMITS.highWater.stop) * this.#poolBytes - others;
    return Math.min(this.#fraction, HEADROOM_FRACTION_MAX) * Math.max(0, availableBytes);
  }

  get underPressure(): boolean {
    // Other topics lower the mark, too.
    if (!this.#underPressure && this.#usedBytes >= this.#markBytes) this.#press();
    return this.#underPressure;
  }

  get acceptsFrames(): boolean {
    const reserve = LIMITS.frameRoom / (1 - LIMITS.highWater.stop);
    return (
      this.#usedBytes < this.#markBytes || this.#excessBytes < this.headroomBytes * (1 - reserve)
    );
  }

  charge(bytes: number): boolean {
    const belowMarkBytes = this.#belowMarkBytes;
    if (!this.#fits(bytes, belowMarkBytes) || !this.#budget.charge(bytes)) return false;
    this.#add(bytes, belowMarkBytes);
    return true;
  }

  forceCharge(bytes: number): void {
    const belowMarkBytes = this.#belowMarkBytes;
    this.#budget.forceCharge(bytes);
    this.#add(bytes, belowMarkBytes);
  }

  release(bytes: number): void {
    this.#remove(bytes);
    this.#budget.release(bytes);
  }

  allocate(bytes: number): Buffer | undefined {
    const belowMarkBytes = this.#belowMarkBytes;
    if (!this.#fits(sizeClass(bytes), belowMarkBytes)) return undefined;
    const buffer = this.#budget.allocate(bytes);
    if (buffer !== undefined) this.#add(buffer.length, belowMarkBytes);
    return buffer;
  }

  forceAllocate(bytes: number): Buffer {
    const belowMarkBytes = this.#belowMarkBytes;
    const buffer = this.#budget.forceAllocate(bytes);
    this.#add(buffer.length, belowMarkBytes);
    return buffer;
  }

  deallocate(buffer: Buffer): void {
    this.#remove(buffer.length);
    this.#budget.deallocate(buffer);
  }

  /** Ends the pressure below the low-water mark. Called by the budget after each release. */
  checkPressure(): void {
    const { stop, resume } = LIMITS.highWater;
    if (this.#usedBytes >= (this.#markBytes * resume) / stop) return;
    this.#underPressure = false;
    this.#budget.pressedShares.delete(this);
    this.#budget.pressureEnded();
  }

  #press(): void {
    this.#underPressure = true;
    this.#budget.pressedShares.add(this);
  }

  /**
   * Bytes that topics share: without the guaranteed parts, the bytes of no topic, and those that
   * were forced beyond all room above the marks.
   */
  get #poolBytes(): number {
    const { shared, eventBytes, eventLimitBytes, limitBytes } = this.#budget;
    const ownBytes = eventBytes - shared.usedBytes;
    const poolBytes = eventLimitBytes - ownBytes - limitBytes * LIMITS.guaranteedShare;
    const aboveBytes = (1 - LIMITS.highWater.stop) * poolBytes;
    return poolBytes - Math.max(0, shared.excessBytes - aboveBytes);
  }

  /** The high-water mark. */
  get #markBytes(): number {
    const others = this.#budget.shared.baseBytes - this.#baseBytes;
    const availableBytes = Math.max(0, LIMITS.highWater.stop * this.#poolBytes - others);
    const partBytes = Math.max(this.#minBytes, this.#fraction * availableBytes);
    return this.#guaranteedBytes + Math.min(availableBytes, partBytes);
  }

  /** Bytes in use below the mark, beyond the guaranteed part. */
  get #baseBytes(): number {
    return Math.max(0, this.#usedBytes - this.#excessBytes - this.#guaranteedBytes);
  }

  /** Bytes that still fit below the mark. */
  get #belowMarkBytes(): number {
    return Math.max(0, Math.floor(this.#markBytes) - (this.#usedBytes - this.#excessBytes));
  }

  #fits(bytes: number, belowMarkBytes: number): boolean {
    if (bytes <= belowMarkBytes) return true;
    return bytes - belowMarkBytes <= this.headroomBytes - this.#excessBytes;
  }

  #add(bytes: number, belowMarkBytes: number): void {
    this.#change(bytes, Math.max(0, bytes - belowMarkBytes));
    if (bytes >= belowMarkBytes && !this.#underPressure) this.#press();
  }

  #remove(bytes: number): void {
    assert(bytes <= this.#usedBytes, 'more was released than charged');
    this.#change(-bytes, -Math.min(bytes, this.#excessBytes));
  }

  /** Changes the bytes in use, and the part of them above the mark. */
  #change(bytes: number, excessBytes: number): void {
    const { shared } = this.#budget;
    const baseBytes = this.#baseBytes;
    this.#usedBytes += bytes;
    this.#excessBytes += excessBytes;
    shared.usedBytes += bytes;
    shared.excessBytes += excessBytes;
    shared.baseBytes += this.#baseBytes - baseBytes;
  }
}

/** Returns the bytes in `budget` that a topic can use whatever other topics use. */
export function guaranteedBytes({ limitBytes }: Pick<Budget, 'limitBytes'>): number {
  return Math.floor((limitBytes * LIMITS.guaranteedShare) / LIMITS.streams);
}
