import type { Accumulator } from '../accumulator/accumulator.ts';
import type { RecordBatch } from '../accumulator/batch.ts';
import type { Partition } from '../accumulator/topic.ts';
import type { DeliveryListener } from './delivery-listener.ts';
import type { Outcome } from './error-table.ts';
import type { ProduceMetrics } from './produce-metrics.ts';

/**
 * Partitions that are missing after a topic was recreated: unsent batches move to existing
 * partitions, in order; batches sent without a response get `timeout` at once.
 */
export class RemovedPartitions {
  readonly #accumulator: Accumulator;
  readonly #deliveryListener: DeliveryListener;
  readonly #metrics: ProduceMetrics;
  /** Partitions with an attempt in flight: the socket reads the batch's memory. */
  readonly #inFlight = new Set<Partition>();

  constructor(
    accumulator: Accumulator,
    deliveryListener: DeliveryListener,
    metrics: ProduceMetrics,
  ) {
    this.#accumulator = accumulator;
    this.#deliveryListener = deliveryListener;
    this.#metrics = metrics;
  }

  /** Empties a `partition` that its topic no longer has. */
  add(partition: Partition): void {
    const { topic, lane, queue } = partition;
    const { compressing, head, inFlight } = lane;
    partition.setLeader(undefined, performance.now());
    const { unsent, lost } = lane.end();
    if (lost !== undefined) this.#deliveryListener.rejected(lost, 'timeout');
    if (inFlight) {
      this.#inFlight.add(partition);
      if (!head!.answered) this.#deliveryListener.overdue(head!);
    }
    const waiting = [...unsent];
    queue.release();
    for (let batch = queue.take(); batch !== undefined; batch = queue.take()) waiting.push(batch);
    for (const batch of waiting) {
      if (!batch.answered) this.#accumulator.repartition(batch, topic);
      // A thread reads the memory of a batch being compressed.
      if (!(compressing && batch === head)) this.#release(batch);
    }
  }

  /** The compression of a batch of a removed partition has ended. */
  compressed(batch: RecordBatch): void {
    this.#release(batch);
  }

  /** An attempt has ended. @returns false if the partition was not removed */
  settled(partition: Partition, outcome: Outcome, nowMs: number): boolean {
    if (!this.#inFlight.delete(partition)) return false;
    const batch = partition.lane.endAttempt();
    this.#metrics.ended(batch, nowMs);
    if (outcome.kind === 'stored') {
      this.#metrics.stored(batch);
      this.#deliveryListener.stored(batch);
    } else this.#deliveryListener.rejected(batch, 'timeout');
    return true;
  }

  /** Calls `visit` with every batch in flight. */
  walk(visit: (batch: RecordBatch) => void): void {
    for (const { lane } of this.#inFlight) lane.walk(visit);
  }

  /** Releases a batch whose records were moved, or whose senders already got `timeout`. */
  #release(batch: RecordBatch): void {
    if (batch.answered) this.#deliveryListener.rejected(batch, 'timeout');
    else this.#accumulator.release(batch);
  }
}
