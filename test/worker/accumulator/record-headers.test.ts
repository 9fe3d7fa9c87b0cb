/** Headers and times of their own: kept by splits, new partitions and other readers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KIB, MIB } from '../../../src/config/limits.ts';
import { Accumulator } from '../../../src/worker/accumulator/accumulator.ts';
import type { RecordBatch } from '../../../src/worker/accumulator/batch.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';
import { murmur2 } from '../../../src/worker/accumulator/murmur2.ts';
import {
  BATCH_HEADER_BYTES,
  type EncodedHeaders,
  RECORD_OVERHEAD_BYTES_MAX,
} from '../../../src/worker/accumulator/records.ts';
import type { Topic } from '../../../src/worker/accumulator/topic.ts';
import { HeaderEncoder } from '../../../src/worker/streams/header-encoder.ts';
import { Provenance } from '../../../src/worker/streams/provenance.ts';
import {
  anyRecords,
  type HeaderList,
  headersOf,
  PLAIN_OWNER,
  type RecordInput,
  recordsOf,
  topicOf,
} from '../../../testing/batches.ts';
import { Decoder, decodeRecordBatch } from '../kafkajs-protocol.ts';

const STAMP = { producerId: 1n, epoch: 0, sequence: 0 };
const NO_EVENT_FIELDS = { idStart: 0, idBytes: -1, traceStart: 0, traceBytes: -1 };

interface FullRecord extends RecordInput {
  readonly headers: HeaderList;
}

/** Records of the same batch with and without headers, their values up to 256 bytes. */
const anyFullRecords: fc.Arbitrary<FullRecord[]> = anyRecords.chain((records) => {
  const anyHeaders = fc.oneof(
    fc.constant([]),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }).map((agent) => {
      return [['fb-user-agent', agent]] as const;
    }),
  );
  return fc
    .tuple(...records.map(() => anyHeaders))
    .map((lists) => records.map((record, index) => ({ ...record, headers: lists[index]! })));
});

const encoder = new HeaderEncoder(['user-agent'], {}, 'full');

function encodedHeaders(headers: HeaderList): EncodedHeaders {
  const facts = headers[0] === undefined ? {} : { 'user-agent': headers[0][1] };
  const none = Buffer.alloc(0);
  return encoder.encode(new Provenance(facts), 0, false, none, NO_EVENT_FIELDS, true, undefined);
}

const fullRecordsOf = (batch: RecordBatch): FullRecord[] => {
  const headers = headersOf(batch);
  return recordsOf(batch).map((record, index) => ({ ...record, headers: headers[index]! }));
};

/** Appends each record as event of frame 1, in one arrival. */
function appendAll(accumulator: Accumulator, topic: Topic, records: readonly FullRecord[]): void {
  accumulator.beginFrame(PLAIN_OWNER, 1, Date.now(), 0, 0);
  for (const [index, { key, value, timestamp, headers }] of records.entries()) {
    accumulator.useFormat(encodedHeaders(headers), timestamp);
    const { length } = value;
    const range = {
      keySource: key ?? Buffer.alloc(0),
      keyStart: 0,
      keyBytes: key?.length ?? -1,
      keyHash: key === undefined ? 0 : murmur2(key, 0, key.length),
    };
    const code = accumulator.appendWithKey(topic, index, value, 0, length, range);
    assert.equal(code, undefined);
  }
}

function takeAll(topic: Topic): RecordBatch[] {
  return topic.partitions.flatMap(({ queue }) => {
    const batches: RecordBatch[] = [];
    for (let batch = queue.take(); batch !== undefined; batch = queue.take()) batches.push(batch);
    return batches;
  });
}

function newAccumulator(budget = new Budget(16 * MIB)): Accumulator {
  return new Accumulator({ budget, batchBytes: 64 * KIB, maxEventBytes: 64 * KIB });
}

/** Splits down to single records. */
function splitAll(accumulator: Accumulator, batch: RecordBatch): RecordBatch[] {
  if (batch.records === 1) return [batch];
  const rest = accumulator.split(batch);
  return [...splitAll(accumulator, batch), ...splitAll(accumulator, rest)];
}

function assertTimes(batch: RecordBatch): void {
  const times = recordsOf(batch).map(({ timestamp }) => timestamp);
  assert.equal(batch.firstTimestamp, times[0]);
  assert.equal(batch.maxTimestamp, Math.max(...times));
  assert(batch.hasEventTimes, 'never restamped');
  assert.throws(() => batch.restamp(0), /never changed/);
}

test('each half of a split keeps headers and times of its records, in any order of times', () => {
  fc.assert(
    fc.property(anyFullRecords, (records) => {
      const accumulator = newAccumulator();
      const topic = topicOf(1);
      appendAll(accumulator, topic, records);
      const batches = takeAll(topic);
      for (const batch of batches) assertTimes(batch);
      assert.deepEqual(batches.flatMap(fullRecordsOf), records);
      const parts = batches.flatMap((batch) => splitAll(accumulator, batch));
      for (const part of parts) assertTimes(part);
      assert.deepEqual(parts.flatMap(fullRecordsOf), records);
    }),
  );
});

test('a record that arrives without a time of its own makes no batch permanent', () => {
  const accumulator = newAccumulator();
  const topic = topicOf(1);
  accumulator.beginFrame(PLAIN_OWNER, 1, 5, 0, 0);
  for (const time of [undefined, 9]) {
    accumulator.useFormat(encodedHeaders([]), time);
    accumulator.append(topic, 0, Buffer.from('{}'), 0, 2, undefined);
    const open = topic.partitions[0]!.queue.open!;
    assert.equal(open.hasEventTimes, time !== undefined);
  }
  // The next frame has no format again.
  accumulator.beginFrame(PLAIN_OWNER, 2, 7, 0, 0);
  accumulator.append(topic, 0, Buffer.from('{}'), 0, 2, undefined);
  const [batch] = takeAll(topic);
  assert.deepEqual(
    recordsOf(batch!).map(({ timestamp }) => timestamp),
    [5, 9, 7],
  );
});

test('records that move to other partitions keep headers and times', () => {
  fc.assert(
    fc.property(anyFullRecords, (records) => {
      const accumulator = newAccumulator();
      const [from, to] = [topicOf(1), topicOf(3)];
      appendAll(accumulator, from, records);
      for (const batch of takeAll(from)) {
        accumulator.repartition(batch, to);
        accumulator.release(batch);
      }
      const batches = takeAll(to);
      for (const batch of batches) assertTimes(batch);
      const moved = batches.flatMap((batch) =>
        fullRecordsOf(batch).map((record, index) => [batch.events[index], record] as const),
      );
      moved.sort(([one], [other]) => one! - other!);
      assert.deepEqual(
        moved.map(([, record]) => record),
        records,
      );
    }),
  );
});

test('kafkajs reads headers and times of a sealed batch', async () => {
  await fc.assert(
    fc.asyncProperty(anyFullRecords, async (records) => {
      const accumulator = newAccumulator();
      const topic = topicOf(1);
      appendAll(accumulator, topic, records);
      const found: unknown[] = [];
      for (const batch of takeAll(topic)) {
        batch.seal(STAMP);
        const decoded = await decodeRecordBatch(new Decoder(batch.bytes));
        for (const { timestamp, headers, value } of decoded.records) {
          const texts = Object.entries(headers ?? {}).map(([name, text]) => [name, String(text)]);
          found.push([Number(timestamp), texts, value?.toString('hex')]);
        }
      }
      assert.deepEqual(
        found,
        records.map(({ timestamp, headers, value }) => [timestamp, headers, value.toString('hex')]),
      );
    }),
    { numRuns: 40 },
  );
});

test('headers count toward max.message.bytes, to the byte', () => {
  const headers = encodedHeaders([['fb-user-agent', 'x'.repeat(200)]]);
  const [key, value] = ['key', Buffer.alloc(500, 0x20)];
  const contentBytes = key.length + value.length + headers.length;
  const bytes = BATCH_HEADER_BYTES + RECORD_OVERHEAD_BYTES_MAX + contentBytes;
  for (const [maxMessageBytes, code] of [
    [bytes, undefined],
    [bytes - 1, 'too_large'],
  ] as const) {
    const accumulator = newAccumulator();
    const topic = topicOf(1);
    topic.maxMessageBytes = maxMessageBytes;
    let reported = 0;
    accumulator.onTooLarge(() => reported++);
    accumulator.beginFrame(PLAIN_OWNER, 1, 5, 0, 0);
    accumulator.useFormat(headers, undefined);
    assert.equal(accumulator.append(topic, 0, value, 0, value.length, key), code);
    assert.equal(reported, Number(code !== undefined));
    const [batch] = takeAll(topic);
    assert.equal(batch === undefined, code !== undefined);
    assert((batch?.length ?? 0) <= maxMessageBytes, 'the batch is no longer than allowed');
  }
});

test('a batch closes before its headers exceed max.message.bytes', () => {
  const headers = encodedHeaders([['fb-user-agent', 'x'.repeat(200)]]);
  const accumulator = newAccumulator();
  const topic = topicOf(1);
  topic.maxMessageBytes = 1_000;
  accumulator.beginFrame(PLAIN_OWNER, 1, 5, 0, 0);
  for (let event = 0; event < 20; event++) {
    accumulator.useFormat(headers, undefined);
    assert.equal(accumulator.append(topic, event, Buffer.from('{}'), 0, 2, undefined), undefined);
  }
  const batches = takeAll(topic);
  assert(batches.length > 1 && batches.every(({ length }) => length <= 1_000), 'several');
  assert.equal(batches.flatMap(headersOf).length, 20);
});

test('the budget returns to zero after batches with headers', () => {
  const budget = new Budget(16 * MIB);
  const accumulator = newAccumulator(budget);
  const topic = topicOf(1);
  const headers = [['fb-user-agent', 'x'.repeat(256)]] as const;
  const records = Array.from({ length: 50 }, (_, index) => {
    return { value: Buffer.from('{}'), timestamp: 2 ** 40 + index, headers };
  });
  appendAll(accumulator, topic, records);
  const parts = takeAll(topic).flatMap((batch) => splitAll(accumulator, batch));
  assert.equal(parts.length, records.length);
  for (const part of parts) accumulator.release(part);
  assert.equal(budget.usedBytes, 0);
});
