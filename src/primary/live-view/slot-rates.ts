import assert from 'node:assert/strict';
import { LIMITS } from '../../config/limits.ts';

/** Numbers that are so many intervals late say nothing of now. */
const LATE_INTERVALS = 2;

/**
 * How fast the counters of one slot rise. Its numbers come when the worker sends them, not when
 * somebody looks: between two looks there may be none, or two. So a rate is of the time between the
 * numbers themselves, and stays until new ones come or are overdue.
 */
export class SlotRates {
  /** Per second, in the order of the values. */
  readonly perSecond: Float64Array;
  #values: Float64Array;
  #atMs: number;

  /** @param atMs when all counters were 0, in milliseconds of a clock */
  constructor(counters: number, atMs: number) {
    this.perSecond = new Float64Array(counters);
    this.#values = new Float64Array(counters);
    this.#atMs = atMs;
  }

  /**
   * @param values the counters, as they were at `atMs`
   * @param nowMs the same clock, now
   */
  update(values: Float64Array, atMs: number, nowMs: number): void {
    assert(values.length === this.#values.length, 'the counters stay the same');
    if (atMs > this.#atMs) {
      const seconds = (atMs - this.#atMs) / 1000;
      for (const [index, value] of values.entries()) {
        this.perSecond[index] = (value - this.#values[index]!) / seconds;
      }
      this.#values = values;
      this.#atMs = atMs;
    } else if (nowMs - atMs > LATE_INTERVALS * LIMITS.snapshotIntervalMs) {
      this.perSecond.fill(0);
    }
  }
}
