import type { Accumulator } from '../accumulator/accumulator.ts';
import type { RecordBatch } from '../accumulator/batch.ts';
import type { Partition } from '../accumulator/topic.ts';
import type { Outcomes } from './delivery-listener.ts';
import type { Outcome } from './error-table.ts';
import type { ProduceMetrics } from './produce-metrics.ts';

/**
 * The end of partitions that a topic was created again without: batches that wait unsent move to
 * partitions that are there, in order; what was sent and never answered is told `timeout` at once.
 */
export class RemovedPartitions {
  readonly #accumulator: Accumulator;
  readonly #outcomes: Outcomes;
  readonly #metrics: ProduceMetrics;
  /** Those of which an attempt is in flight: its socket reads the memory of the batch. */
  readonly #inFlight = new Set<Partition>();

  constructor(accumulator: Accumulator, outcomes: Outcomes, metrics: ProduceMetrics) {
    this.#accumulator = accumulator;
    this.#outcomes = outcomes;
    this.#metrics = metrics;
  }

  /** Empties `partition`, which is no longer one of its topic. */
  add(partition: Partition): void {
    const { topic, lane, queue } = partition;
    const { compressing, head, inFlight } = lane;
    partition.setLeader(undefined, performance.now());
    const { unsent, lost } = lane.end();
    if (lost !== undefined) this.#outcomes.refused(lost, 'timeout');
    if (inFlight) {
      this.#inFlight.add(partition);
      if (!head!.answered) this.#outcomes.overdue(head!);
    }
    const waiting = [...unsent];
    for (let batch = queue.take(); batch !== undefined; batch = queue.take()) waiting.push(batch);
    for (const batch of waiting) {
      if (!batch.answered) this.#accumulator.repartition(batch, topic);
      // A thread reads the memory of the one that is being compressed.
      if (!(compressing && batch === head)) this.#release(batch);
    }
  }

  /** The compression of a batch is over whose partition was removed meanwhile. */
  compressed(batch: RecordBatch): void {
    this.#release(batch);
  }

  /** An attempt has ended. @returns false when the partition is none of these */
  settled(partition: Partition, outcome: Outcome, nowMs: number): boolean {
    if (!this.#inFlight.delete(partition)) return false;
    const batch = partition.lane.endAttempt();
    this.#metrics.ended(batch, nowMs);
    if (outcome.kind === 'stored') {
      this.#metrics.stored(batch);
      this.#outcomes.stored(batch);
    } else this.#outcomes.refused(batch, 'timeout');
    return true;
  }

  /** Calls `visit` with every batch whose attempt is in flight. */
  walk(visit: (batch: RecordBatch) => void): void {
    for (const { lane } of this.#inFlight) lane.walk(visit);
  }

  /** Ends a batch whose records have moved on, or whose senders were told `timeout` before. */
  #release(batch: RecordBatch): void {
    if (batch.answered) this.#outcomes.refused(batch, 'timeout');
    else this.#accumulator.release(batch);
  }
}
