/** Memory of batches whose partition is removed while a socket or thread still reads it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KIB, MIB } from '../../../src/config/limits.ts';
import { Counters } from '../../../src/metrics/counters.ts';
import { Accumulator } from '../../../src/worker/accumulator/accumulator.ts';
import type { RecordBatch } from '../../../src/worker/accumulator/batch.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';
import type { Partition } from '../../../src/worker/accumulator/topic.ts';
import { noAnswer, outcomeOf } from '../../../src/worker/producer/error-table.ts';
import { ProduceMetrics } from '../../../src/worker/producer/produce-metrics.ts';
import { RemovedPartitions } from '../../../src/worker/producer/removed-partitions.ts';
import { appendEvent, topicOf, valuesOf } from '../../../testing/batches.ts';
import { recordFaults } from '../faults.ts';

const NOW_MS = 1_000;

/** A topic that is about to lose its second partition, and the results of its batches. */
class Rig {
  readonly budget = new Budget(MIB);
  readonly accumulator = new Accumulator({
    budget: this.budget,
    batchBytes: 16 * KIB,
    maxEventBytes: KIB,
  });
  readonly topic = topicOf(2);
  readonly fates: string[] = [];
  readonly removed: RemovedPartitions;

  constructor() {
    const note = (batch: RecordBatch, fate: string) =>
      this.fates.push(...valuesOf(batch).map((value) => `${value}: ${fate}`));
    const release = (batch: RecordBatch, fate: string) => {
      if (!batch.answered) note(batch, fate);
      this.accumulator.release(batch);
    };
    const outcomes = {
      stored: (batch: RecordBatch) => release(batch, 'stored'),
      rejected: (batch: RecordBatch, code: string) => release(batch, code),
      overdue: (batch: RecordBatch) => {
        note(batch, 'timeout');
        batch.answered = true;
      },
    };
    const metrics = new ProduceMetrics(new Counters(), recordFaults().faults);
    this.removed = new RemovedPartitions(this.accumulator, outcomes, metrics);
  }

  /** Returns a partition whose lane has a head with this value. */
  start(value: string): { partition: Partition; head: RecordBatch } {
    const partition = this.topic.partitions[1]!;
    const bytes = Buffer.from(value);
    while (partition.queue.empty) {
      const { accumulator, topic } = this;
      for (const { queue } of topic.partitions) {
        for (let batch = queue.take(); batch; batch = queue.take()) accumulator.release(batch);
      }
      topic.sticky = undefined;
      appendEvent(accumulator, topic, undefined, bytes, { timestamp: NOW_MS, arrivalMs: NOW_MS });
    }
    const head = partition.queue.take()!;
    partition.lane.setProducerId(7n, 0);
    partition.lane.start(head);
    return { partition, head };
  }

  remove(): void {
    for (const partition of this.topic.resize(1)) this.removed.add(partition);
  }

  /** Whether the pool reuses the memory of a batch. */
  isFree({ buffer }: RecordBatch): boolean {
    const others: Buffer[] = [];
    while (this.budget.freeBytes > 0) {
      const before = this.budget.freeBytes;
      const other = this.budget.forceAllocate(buffer.length);
      others.push(other);
      if (this.budget.freeBytes === before) break;
    }
    for (const other of others) this.budget.deallocate(other);
    return others.includes(buffer);
  }

  /** Returns the values that wait in the remaining partition; releases them. */
  takeMoved(): string[] {
    const { queue } = this.topic.partitions[0]!;
    const values: string[] = [];
    for (let batch = queue.take(); batch !== undefined; batch = queue.take()) {
      values.push(...valuesOf(batch));
      this.accumulator.release(batch);
    }
    return values;
  }
}

for (const [how, outcome, fate] of [
  ['stored', outcomeOf(0), ['sent: timeout']],
  ['lost', noAnswer('connection'), ['sent: timeout']],
  ['rejected', outcomeOf(10), ['sent: timeout']],
] as const) {
  test(`the memory of a batch in flight is kept until its attempt has ended: ${how}`, () => {
    const rig = new Rig();
    const { partition, head } = rig.start('sent');
    const bytes = partition.lane.send(NOW_MS);
    const copy = Buffer.from(bytes);
    rig.remove();
    assert.deepEqual(rig.fates, fate, 'reported at once');
    assert.equal(rig.isFree(head), false);
    const walked: RecordBatch[] = [];
    rig.removed.walk((batch) => walked.push(batch));
    assert.deepEqual(walked, [head]);
    assert.deepEqual(bytes, copy, 'the socket may still read it');
    assert.equal(rig.removed.settled(partition, outcome, NOW_MS), true);
    assert.equal(rig.isFree(head), true);
    assert.deepEqual(rig.fates, fate, 'reported once');
    assert.deepEqual(rig.takeMoved(), []);
    assert.equal(rig.budget.usedBytes, 0);
    assert.equal(rig.removed.settled(partition, outcome, NOW_MS), false);
  });
}

test('the memory of a batch being compressed is kept until the thread has finished', () => {
  const rig = new Rig();
  const { partition, head } = rig.start('compressed');
  partition.lane.beginCompression();
  const copy = Buffer.from(head.buffer);
  rig.remove();
  assert.equal(rig.isFree(head), false);
  assert.deepEqual(rig.takeMoved(), ['compressed'], 'its records move at once');
  assert.deepEqual(head.buffer, copy);
  // The thread's result is too late to be used.
  const compressed = rig.budget.forceAllocate(KIB);
  head.setCompressed({ buffer: compressed, length: head.length - 1, codec: 1 });
  rig.removed.compressed(head);
  assert.equal(rig.isFree(head), true);
  assert.deepEqual(rig.fates, []);
  assert.equal(rig.budget.usedBytes, 0);
});
