import { type Logger, SampledLog } from '../../log.ts';
import {
  LANE_STATES,
  type LaneStateName,
  PRODUCE_ERROR_CLASSES,
  type ProduceErrorClass,
} from '../../metrics/catalogue.ts';
import { type Counters, cell, cells, histogram } from '../../metrics/counters.ts';
import type { RecordBatch } from '../accumulator/batch.ts';
import { errorName, type Outcome } from './error-table.ts';
import type { Lane, Verdict } from './lane.ts';

const ERRORS = cells('forebay_produce_errors_total', PRODUCE_ERROR_CLASSES);
const RESETS = cells('forebay_producer_resets_total', ['epoch', 'producer_id']);
const LANES = cells('forebay_lanes', LANE_STATES);
const DURATION = histogram('forebay_produce_duration_seconds');
const LANE = histogram('forebay_stage_duration_seconds', 'lane');
const PRODUCE = histogram('forebay_stage_duration_seconds', 'produce');
const BATCH_EVENTS = histogram('forebay_batch_events');
const BATCH_BYTES = histogram('forebay_batch_bytes');
const UNCOMPRESSED_BYTES = cell('forebay_batch_uncompressed_bytes_total');

/** Classes that mean that something is wrong, not that something is down. */
const ALARMS: ReadonlySet<ProduceErrorClass> = new Set([
  'sequence',
  'duplicate_sequence',
  'timestamp',
  'refused_by_policy',
  'unexpected',
]);

/** What operators see of the producer: counters, and lines of what goes wrong. */
export class ProduceMetrics {
  readonly #counters: Counters;
  readonly #log: Logger;
  readonly #sampled = new SampledLog();

  constructor(counters: Counters, log: Logger) {
    this.#counters = counters;
    this.#log = log;
  }

  request(ms: number): void {
    this.#counters.observe(DURATION, ms / 1000);
  }

  /** A batch goes out: with its first attempt its time in the lane is over. */
  sending(batch: RecordBatch, nowMs: number): void {
    if (batch.sentAtMs !== undefined) return;
    batch.sentAtMs = nowMs;
    this.#counters.observe(LANE, (nowMs - batch.openedAtMs) / 1000);
  }

  /** The fate of a batch that was sent is known. */
  ended(batch: RecordBatch, nowMs: number): void {
    if (batch.sentAtMs === undefined) return;
    this.#counters.observe(PRODUCE, (nowMs - batch.sentAtMs) / 1000);
  }

  stored(batch: RecordBatch): void {
    this.#counters.observe(BATCH_EVENTS, batch.records);
    this.#counters.observe(BATCH_BYTES, batch.sentBytes);
    this.#counters.add(UNCOMPRESSED_BYTES, batch.length);
  }

  /** Counts an attempt that failed, and says so; repeats are held back. */
  verdict(lane: Lane, outcome: Outcome, verdict: Verdict): void {
    const errorClass = verdict.class;
    if (errorClass === undefined) return;
    this.#counters.add(ERRORS[errorClass]);
    if ('reset' in verdict && verdict.reset !== undefined) {
      this.#counters.add(RESETS[verdict.reset]);
    }
    const level = ALARMS.has(errorClass) ? 'error' : 'warn';
    const { partition, attempts } = lane;
    const { errorCode } = outcome;
    const error = errorCode === undefined ? undefined : errorName(errorCode);
    this.#sampled.line(errorClass, (held) =>
      this.#log[level](
        { partition, attempts, class: errorClass, error, errorCode, held },
        'a batch was not confirmed',
      ),
    );
  }

  loginRefused(error: string): void {
    this.#sampled.line('login', (held) =>
      this.#log.error({ error, held }, 'the brokers refuse our credentials'),
    );
  }

  /** How many lanes are in which state. */
  lanes(states: Iterable<LaneStateName>): void {
    for (const state of LANE_STATES) this.#counters.set(LANES[state], 0);
    for (const state of states) this.#counters.add(LANES[state]);
  }
}
