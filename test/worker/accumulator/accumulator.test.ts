import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KIB, LIMITS, MIB } from '../../../src/config/limits.ts';
import { Accumulator } from '../../../src/worker/accumulator/accumulator.ts';
import type { RecordBatch } from '../../../src/worker/accumulator/batch.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';
import { murmur2, partitionOfHash } from '../../../src/worker/accumulator/murmur2.ts';
import { BATCH_HEADER_BYTES } from '../../../src/worker/accumulator/records.ts';
import type { Topic } from '../../../src/worker/accumulator/topic.ts';
import { appendEvent, recordsOf, topicOf, valuesOf } from '../../../testing/batches.ts';

const BATCH_BYTES = 16 * KIB;

interface Setup {
  readonly partitions?: number;
  readonly limitBytes?: number;
  readonly batchBytes?: number;
}

/** An accumulator, its budget, and the partitions reported by onWork. */
function setUp({ partitions = 4, limitBytes = 4 * MIB, batchBytes = BATCH_BYTES }: Setup = {}) {
  const budget = new Budget(limitBytes);
  const accumulator = new Accumulator({ budget, batchBytes, maxEventBytes: 64 * KIB });
  const topic = topicOf(partitions);
  const work: number[] = [];
  accumulator.onWork(({ number }) => work.push(number));
  const append = (key: string | undefined, value: string | Buffer, timestamp = 1_000) => {
    const bytes = Buffer.from(value);
    return appendEvent(accumulator, topic, key, bytes, { timestamp, arrivalMs: 0 });
  };
  return { budget, accumulator, topic, work, append };
}

/** Takes all waiting batches, by partition. */
function takeAll({ partitions }: Topic): RecordBatch[][] {
  return partitions.map(({ queue }) => {
    const batches: RecordBatch[] = [];
    for (;;) {
      const batch = queue.take();
      if (batch === undefined) return batches;
      batches.push(batch);
    }
  });
}

test('without partitions an event is rejected kafka_unavailable', () => {
  const { append, budget } = setUp({ partitions: 0 });
  assert.equal(append('k', '{}'), 'kafka_unavailable');
  assert.equal(budget.usedBytes, 0);
});

test('events of a key are in its partition, in order of arrival', () => {
  const anyEvent = fc.record({
    key: fc.option(fc.oneof(fc.constantFrom('', 'a', 'b'), fc.string({ unit: 'grapheme' })), {
      nil: undefined,
    }),
    length: fc.nat(3_000),
  });
  fc.assert(
    fc.property(
      fc.array(anyEvent, { maxLength: 60, size: 'max' }),
      fc.integer({ min: 1, max: 5 }),
      (events, n) => {
        const { accumulator, topic, append, budget } = setUp({
          partitions: n,
          batchBytes: 4 * KIB,
        });
        for (const [index, { key, length }] of events.entries()) {
          assert.equal(append(key, `${index} ${'x'.repeat(length)}`), undefined);
        }
        const found = takeAll(topic);
        const numbers = new Set<number>();
        for (const [partition, batches] of found.entries()) {
          let last = -1;
          for (const { key, value } of batches.flatMap(recordsOf)) {
            const index = Number.parseInt(value.toString(), 10);
            assert(index > last, 'order within a partition');
            last = index;
            numbers.add(index);
            assert.equal(key?.toString(), events[index]!.key);
            if (key !== undefined)
              assert.equal(partition, partitionOfHash(murmur2(key, 0, key.length), n));
          }
        }
        assert.equal(numbers.size, events.length);
        for (const batch of found.flat()) accumulator.release(batch);
        assert.equal(budget.usedBytes, 0, 'everything that was charged is released');
      },
    ),
    { numRuns: 60 },
  );
});

test('events without a key fill one batch, then go to another partition', () => {
  const { topic, append } = setUp({ partitions: 50 });
  const value = 'x'.repeat(100);
  const used = () => topic.partitions.filter(({ queue }) => !queue.empty).length;
  for (let bytes = 0; bytes < BATCH_BYTES / 2; bytes += 100) append(undefined, value);
  assert.equal(used(), 1);
  for (let bytes = 0; bytes < BATCH_BYTES * 20; bytes += 100) append(undefined, value);
  assert(used() > 5, `${used()} partitions are used`);
  for (const batch of takeAll(topic).flat()) assert(batch.length <= BATCH_BYTES, 'bounded');
});

test('an event larger than max.message.bytes is rejected too_large, the next one is not', () => {
  const { topic, append, budget } = setUp();
  topic.maxMessageBytes = 5_000;
  assert.equal(append('k', 'x'.repeat(5_000 - BATCH_HEADER_BYTES)), 'too_large');
  assert.equal(budget.usedBytes, 0);
  assert.equal(append('k', 'x'.repeat(4_900)), undefined);
});

test('no batch is longer than max.message.bytes or the batch size', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2_000, max: 40_000 }),
      fc.array(fc.nat(1_900), { maxLength: 80, size: 'max' }),
      (maxMessageBytes, lengths) => {
        const { topic, append } = setUp({ partitions: 1 });
        topic.maxMessageBytes = maxMessageBytes;
        for (const length of lengths) append('k', 'x'.repeat(length));
        for (const batch of takeAll(topic).flat()) {
          assert(batch.length <= Math.min(maxMessageBytes, BATCH_BYTES), 'bounded');
        }
      },
    ),
    { numRuns: 50 },
  );
});

test('a record longer than the batch size is sent alone', () => {
  const { topic, append } = setUp({ partitions: 1 });
  for (const length of [10, 30_000, 20]) append('k', 'x'.repeat(length));
  const sizes = takeAll(topic)[0]!.map((batch) => valuesOf(batch).map(({ length }) => length));
  assert.deepEqual(sizes, [[10], [30_000], [20]]);
});

test('records too far apart in time do not share a batch', () => {
  const { topic, append } = setUp({ partitions: 1 });
  for (const timestamp of [2 ** 40, 2 ** 40 - 2 ** 29 + 1, 2 ** 40 + 2 ** 29]) {
    append('k', '{}', timestamp);
  }
  assert.deepEqual(
    takeAll(topic)[0]!.map(({ records }) => records),
    [2, 1],
  );
});

test('a batch starts small and grows, and keeps its records', () => {
  const { topic, append } = setUp({ partitions: 1 });
  append('k', 'first');
  const sizes = new Set([topic.partitions[0]!.queue.open!.buffer.length]);
  const values = ['first'];
  for (let index = 0; topic.partitions[0]!.queue.open!.length < BATCH_BYTES - 200; index++) {
    values.push(`${index} ${'x'.repeat(50)}`);
    append('k', values.at(-1)!);
    sizes.add(topic.partitions[0]!.queue.open!.buffer.length);
  }
  assert.deepEqual([...sizes], [2 * KIB, 8 * KIB, 16 * KIB]);
  assert.deepEqual(takeAll(topic)[0]!.flatMap(valuesOf), values);
});

test('over budget an event is rejected buffer_full and nothing of it is kept', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(8_000), { minLength: 1, maxLength: 60, size: 'max' }),
      (lengths) => {
        const { accumulator, topic, append, budget } = setUp({
          partitions: 2,
          limitBytes: 64 * KIB,
        });
        let accepted = 0;
        for (const [index, length] of lengths.entries()) {
          const before = budget.usedBytes;
          const code = append(`${index % 5}`, 'x'.repeat(length));
          assert(budget.usedBytes <= budget.limitBytes, 'within the budget');
          if (code === undefined) accepted++;
          else {
            assert.equal(code, 'buffer_full');
            assert.equal(budget.usedBytes, before);
          }
        }
        const batches = takeAll(topic).flat();
        assert.equal(
          batches.reduce((sum, { records }) => sum + records, 0),
          accepted,
        );
        for (const batch of batches) accumulator.release(batch);
        assert.equal(budget.usedBytes, 0);
      },
    ),
    { numRuns: 50 },
  );
});

test('an event is rejected if there is room for its bytes but not for its bookkeeping', () => {
  const { append, budget } = setUp({ partitions: 1, limitBytes: 2 * KIB });
  assert.equal(append('k', '{}'), 'buffer_full');
  assert.equal(budget.usedBytes, 0);
});

test('a full budget accepts events again after a batch is released', () => {
  const { accumulator, topic, append } = setUp({ partitions: 1, limitBytes: 64 * KIB });
  const value = 'x'.repeat(1_000);
  while (append('k', value) === undefined);
  accumulator.release(topic.partitions[0]!.queue.take()!);
  assert.equal(append('k', value), undefined);
});

test('onWork is called for the first record of a batch and for a full batch', () => {
  const { topic, append, work } = setUp({ partitions: 1 });
  append('k', 'a');
  append('k', 'b');
  assert.deepEqual(work, [0]);
  append('k', 'x'.repeat(BATCH_BYTES));
  assert.deepEqual(work, [0, 0, 0]);
  assert.equal(topic.partitions[0]!.queue.dueMs(1e9), 0);
});

test('a batch can be split with a full budget, and releasing the halves balances', () => {
  const { accumulator, topic, append, budget } = setUp({ partitions: 1, limitBytes: 16 * KIB });
  while (append('k', 'x'.repeat(500)) === undefined);
  const [first = assert.fail(), ...others] = takeAll(topic)[0]!;
  const { records } = first;
  const rest = accumulator.split(first);
  assert.equal(first.records, Math.ceil(records / 2));
  assert.equal(first.records + rest.records, records);
  for (const batch of [rest, first, ...others]) accumulator.release(batch);
  assert.equal(budget.usedBytes, 0);
});

test('each event is charged its bookkeeping in addition to its bytes', () => {
  const { append, budget } = setUp({ partitions: 1 });
  append('k', '{}');
  assert.equal(budget.usedBytes, 2 * KIB + LIMITS.eventOverheadBytes);
  append('k', '{}');
  assert.equal(budget.usedBytes, 2 * KIB + 2 * LIMITS.eventOverheadBytes);
});

test('compressed records are released with a split and with the batch', () => {
  const { accumulator, topic, append, budget } = setUp({ partitions: 1 });
  for (let event = 0; event < 8; event++) append('k', 'x'.repeat(200));
  const [batch = assert.fail()] = takeAll(topic)[0]!;
  const before = budget.usedBytes;
  const compress = (half: RecordBatch) =>
    half.setCompressed({ buffer: budget.forceAllocate(KIB), length: 100, codec: 1 });
  compress(batch);
  assert.equal(budget.usedBytes, before + KIB);
  const rest = accumulator.split(batch);
  assert.equal(budget.usedBytes, before + rest.buffer.length);
  assert.deepEqual([batch.compressed, batch.mayCompress], [undefined, true]);
  for (const half of [batch, rest]) {
    compress(half);
    accumulator.release(half);
  }
  assert.equal(budget.usedBytes, 0);
});

/** Removes partitions and repartitions their waiting batches, as the producer does. */
function shrink(accumulator: Accumulator, topic: Topic, count: number): void {
  for (const { queue } of topic.resize(count)) {
    for (let batch = queue.take(); batch !== undefined; batch = queue.take()) {
      accumulator.repartition(batch, topic);
      accumulator.release(batch);
    }
  }
}

test('batches of removed partitions are repartitioned, in order per key, before later events', () => {
  const anyEvents = fc.array(
    fc.record({
      key: fc.option(fc.constantFrom(...'abcdefgh'), { nil: undefined }),
      bytes: fc.nat(900),
    }),
    { maxLength: 80, size: 'max' },
  );
  const counts = fc.integer({ min: 1, max: 12 });
  fc.assert(
    fc.property(anyEvents, anyEvents, counts, counts, (first, then, from, to) => {
      const { accumulator, append, budget, topic } = setUp({
        partitions: from,
        batchBytes: 4 * KIB,
      });
      const events = [...first, ...then];
      const isMoved = new Set<string>();
      for (const [index, { key, bytes }] of events.entries()) {
        if (index === first.length) shrink(accumulator, topic, to);
        append(key, `${index} ${'x'.repeat(bytes)}`);
        if (key === undefined || index >= first.length) continue;
        if (partitionOfHash(murmur2(Buffer.from(key), 0, key.length), from) >= to) isMoved.add(key);
      }
      if (then.length === 0) shrink(accumulator, topic, to);
      const found = takeAll(topic).flatMap((batches, partition) =>
        batches.flatMap((batch) => recordsOf(batch).map((record) => ({ ...record, partition }))),
      );
      assert.equal(found.length, events.length);
      for (const key of isMoved) {
        const ofKey = found.filter((record) => record.key?.toString() === key);
        assert.deepEqual(
          new Set(ofKey.map(({ partition }) => partition)),
          new Set([partitionOfHash(murmur2(Buffer.from(key), 0, key.length), to)]),
        );
        const order = ofKey.map(({ value }) => Number.parseInt(value.toString(), 10));
        assert.deepEqual(
          order,
          order.toSorted((one, other) => one - other),
        );
      }
      assert(budget.usedBytes > 0 || events.length === 0);
    }),
    { numRuns: 200 },
  );
});

test('repartitioned records keep owners and arrivals and are charged once, even over budget', () => {
  const { accumulator, append, budget, topic } = setUp({ partitions: 4, limitBytes: 64 * KIB });
  let accepted = 0;
  while (append(`${accepted}`, 'x'.repeat(500)) === undefined) accepted++;
  const before = budget.usedBytes;
  shrink(accumulator, topic, 1);
  assert(budget.usedBytes < 1.5 * before, `${budget.usedBytes} of ${before}`);
  const batches = takeAll(topic).flat();
  assert.equal(
    batches.reduce((sum, { owners }) => sum + owners.length, 0),
    accepted,
  );
  for (const batch of batches) {
    assert.deepEqual(batch.arrivalsMs, new Array(batch.records).fill(0));
    assert.equal(batch.partition, topic.partitions[0]);
    accumulator.release(batch);
  }
  assert.equal(budget.usedBytes, 0);
});

test('repartitioned records take little more memory, over any number of partitions', () => {
  const { accumulator, budget, topic } = setUp({ partitions: 8 });
  const value = Buffer.alloc(500, 'x');
  const keys = Array.from({ length: 1_000 }, (_, index) => `key ${index}`);
  const moving = keys.filter(
    (key) => partitionOfHash(murmur2(Buffer.from(key), 0, key.length), 8) === 7,
  );
  for (let batch = 0; batch < 10; batch++) {
    const arrivalMs = batch * 2 * LIMITS.batchOpenMsMax;
    for (const key of moving.slice(0, 30)) {
      appendEvent(accumulator, topic, key, value, { timestamp: 1_000, arrivalMs });
    }
    topic.partitions[7]!.queue.closeOlderThan(Number.POSITIVE_INFINITY);
  }
  const before = budget.usedBytes;
  shrink(accumulator, topic, 7);
  assert(
    takeAll(topic).filter(({ length }) => length > 0).length > 4,
    'records spread over partitions',
  );
  assert(budget.usedBytes < 2.5 * before, `${budget.usedBytes}, before ${before}`);
});

test('repartitioned records do not share a batch with much younger events', () => {
  const { accumulator, topic } = setUp({ partitions: 2 });
  const value = Buffer.from('{}');
  const append = (key: string, arrivalMs: number) =>
    appendEvent(accumulator, topic, key, value, { timestamp: 1_000, arrivalMs });
  const keys = [...'abcdefgh'];
  const keyOf = (partition: number) =>
    keys.find((key) => partitionOfHash(murmur2(Buffer.from(key), 0, 1), 2) === partition)!;
  append(keyOf(1), 0);
  append(keyOf(0), LIMITS.batchOpenMsMax + 1);
  shrink(accumulator, topic, 1);
  assert.deepEqual(
    takeAll(topic)[0]!.map(({ openedAtMs }) => openedAtMs),
    [LIMITS.batchOpenMsMax + 1, 0],
  );
});

test('each topic has its own limit, partitions and batches', () => {
  const { accumulator } = setUp();
  const [small, large] = [topicOf(1, 'small'), topicOf(3, 'large')];
  small.maxMessageBytes = 1_000;
  const value = Buffer.alloc(2_000, 'x');
  const append = (topic: Topic) => appendEvent(accumulator, topic, 'k', value);
  assert.equal(append(small), 'too_large');
  assert.equal(append(large), undefined);
  assert.deepEqual(takeAll(small), [[]]);
  const [batch] = takeAll(large).flat();
  assert.equal(batch?.partition.topic.name, 'large');
});
