import assert from 'node:assert/strict';
import { LIMITS } from '../../config/limits.ts';

/** Intervals without a report after which rates are outdated. */
const LATE_INTERVALS = 2;

/**
 * Rates of one slot's counters. Reports arrive when the worker sends them, not when the sampler
 * runs: between two samples there may be none or two. So a rate refers to the time between reports,
 * and stays until the next report arrives or is overdue.
 */
export class SlotRates {
  /** Per second, in the order of the values. */
  readonly perSecond: Float64Array;
  #values: Float64Array;
  #atMs: number;

  /** @param atMs time at which all counters were 0, in milliseconds of a clock */
  constructor(counters: number, atMs: number) {
    this.perSecond = new Float64Array(counters);
    this.#values = new Float64Array(counters);
    this.#atMs = atMs;
  }

  /**
   * @param values the counters at `atMs`
   * @param nowMs the current time of the same clock
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
