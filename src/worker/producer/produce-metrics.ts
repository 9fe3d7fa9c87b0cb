import { type Counters, cell, cells, histogram } from '../../metrics/counters.ts';
import {
  LANE_STATES,
  PRODUCE_ERROR_CLASSES,
  type ProduceErrorClass,
} from '../../metrics/labels.ts';
import type { RecordBatch } from '../accumulator/batch.ts';
import type { Partition, Topic } from '../accumulator/topic.ts';
import type { Faults } from '../faults.ts';
import { errorName, type Outcome } from './error-table.ts';
import type { Settlement } from './lane.ts';

const ERRORS = cells('forebay_produce_errors_total', PRODUCE_ERROR_CLASSES);
const RESETS = cells('forebay_producer_resets_total', ['epoch', 'producer_id']);
const LANES = cells('forebay_lanes', LANE_STATES);
const DURATION = histogram('forebay_produce_duration_seconds');
const LANE = histogram('forebay_stage_duration_seconds', 'lane');
const PRODUCE = histogram('forebay_stage_duration_seconds', 'produce');
const BATCH_EVENTS = histogram('forebay_batch_events');
const BATCH_BYTES = histogram('forebay_batch_bytes');
const UNCOMPRESSED_BYTES = cell('forebay_batch_uncompressed_bytes_total');

/** Error classes that indicate a defect or misconfiguration, not an outage. */
const ALARMS: ReadonlySet<ProduceErrorClass> = new Set([
  'sequence',
  'duplicate_sequence',
  'timestamp',
  'refused_by_policy',
  'unexpected',
]);

/** Metrics and log lines of the producer. */
export class ProduceMetrics {
  readonly #counters: Counters;
  readonly #faults: Faults;

  constructor(counters: Counters, faults: Faults) {
    this.#counters = counters;
    this.#faults = faults;
  }

  request(ms: number): void {
    this.#counters.observe(DURATION, ms / 1000);
  }

  /** A batch is being sent: its first attempt ends its time in the lane. */
  sending(batch: RecordBatch, nowMs: number): void {
    if (batch.sentAtMs !== undefined) return;
    batch.sentAtMs = nowMs;
    this.#counters.observe(LANE, (nowMs - batch.openedAtMs) / 1000);
  }

  /** The fate of a sent batch is known. */
  ended(batch: RecordBatch, nowMs: number): void {
    if (batch.sentAtMs === undefined) return;
    this.#counters.observe(PRODUCE, (nowMs - batch.sentAtMs) / 1000);
  }

  stored(batch: RecordBatch): void {
    this.#counters.observe(BATCH_EVENTS, batch.records);
    this.#counters.observe(BATCH_BYTES, batch.sentBytes);
    this.#counters.add(UNCOMPRESSED_BYTES, batch.length);
  }

  /** Counts a failed attempt, and logs the broker's error. */
  settled(partition: Partition, outcome: Outcome, settlement: Settlement): void {
    const errorClass = settlement.class;
    if (errorClass === undefined) return;
    const { cells } = partition.topic;
    this.#counters.add(ERRORS[errorClass] + cells);
    if ('reset' in settlement && settlement.reset !== undefined) {
      this.#counters.add(RESETS[settlement.reset]);
    }
    // The failed connection is logged separately.
    if (errorClass === 'connection' || errorClass === 'request_timeout') return;
    const level = ALARMS.has(errorClass) ? 'error' : 'warn';
    const { topic, number, lane } = partition;
    const { errorCode } = outcome;
    const error = errorCode === undefined ? undefined : errorName(errorCode);
    this.#faults[level](
      `${topic.name} ${errorClass} ${error}`,
      {
        topic: topic.name,
        partition: number,
        attempts: lane.attempts,
        class: errorClass,
        error,
        errorCode,
      },
      'produce attempt failed',
    );
  }

  /** Counts the lanes by state. */
  countLanes(topics: readonly Topic[]): void {
    for (const state of LANE_STATES) this.#counters.clearStreams(LANES[state]);
    for (const { topic, lane, queue } of topics.flatMap(({ partitions }) => partitions)) {
      const isFilling = lane.state === 'empty' && !queue.empty;
      this.#counters.add(LANES[isFilling ? 'filling' : lane.state] + topic.cells);
    }
  }
}
