import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Owner, RecordBatch } from '../../../src/worker/accumulator/batch.ts';
import {
  BATCH_HEADER_BYTES,
  RECORD_OVERHEAD_BYTES_MAX,
} from '../../../src/worker/accumulator/records.ts';
import {
  ANY_PARTITION,
  anyRecords,
  batchOf,
  batchOfValues,
  PLAIN_OWNER,
  recordsOf,
  valuesOf,
} from '../../../testing/batches.ts';

const STAMP = { producerId: 1n, epoch: 0, sequence: 0 };

/** Splits until every batch has one record, or the choices run out. */
function splitBy(batch: RecordBatch, choices: readonly number[]): RecordBatch[] {
  const batches = [batch];
  for (const choice of choices) {
    const at = choice % batches.length;
    const chosen = batches[at]!;
    if (chosen.records === 1) continue;
    const rest = new RecordBatch(Buffer.alloc(chosen.buffer.length), ANY_PARTITION);
    const least = Math.ceil(chosen.records / 2);
    chosen.split(least + (choice % (chosen.records - least)), rest);
    batches.splice(at + 1, 0, rest);
  }
  return batches;
}

test('the moved half fits, even with timestamps far from its first record', () => {
  // Relative to the first record of the batch deltas take a byte, to that of the half up to five.
  const shifts = [0, 0, 0, 0, 2 ** 29 - 1, 0, 0, 0];
  const records = shifts.map((shift) => ({
    key: undefined,
    value: Buffer.alloc(0),
    timestamp: 2 ** 40 + shift,
  }));
  const whole = batchOf(records);
  const exact = whole.buffer.subarray(0, whole.length);
  whole.buffer = Buffer.from(exact);
  const rest = new RecordBatch(Buffer.alloc(whole.length), ANY_PARTITION);
  whole.split(4, rest);
  assert.deepEqual([...recordsOf(whole), ...recordsOf(rest)], records);
  assert.throws(
    () => batchOf(records).split(1, new RecordBatch(Buffer.alloc(200), ANY_PARTITION)),
    /half stays/,
  );
});

test('splitting keeps every record with its bytes, owner and order', () => {
  fc.assert(
    fc.property(
      anyRecords,
      fc.array(fc.nat(1_000), { size: 'max', maxLength: 30 }),
      (records, choices) => {
        const owners = records.map((): Owner => ({ ...PLAIN_OWNER }));
        const whole = batchOf(records, { arrivalMs: 50 });
        whole.owners.splice(0, owners.length, ...owners);
        const { length } = whole;
        const parts = splitBy(whole, choices);
        assert.deepEqual(parts.flatMap(recordsOf), records);
        assert.deepEqual(
          parts.flatMap((part) => part.events),
          records.map((_, index) => index),
        );
        const arrivals = parts.flatMap((part) => part.arrivalsMs);
        assert.deepEqual(
          arrivals,
          records.map((_, index) => 50 + index),
        );
        assert(
          parts.flatMap((part) => part.owners).every((owner, at) => owner === owners[at]),
          'owners',
        );
        for (const part of parts) {
          assert.equal(part.owners.length, part.records);
          assert.equal(part.frames.length, part.records);
          assert(part.length <= length, 'no part is longer than the whole');
          const stamps = recordsOf(part).map(({ timestamp }) => timestamp);
          assert.equal(part.firstTimestamp, stamps[0]);
          assert.equal(part.maxTimestamp, Math.max(...stamps));
          part.seal(STAMP);
        }
      },
    ),
  );
});

test('a record can be appended after a split', () => {
  const batch = batchOfValues(['a', 'b', 'c']);
  batch.split(2, new RecordBatch(Buffer.alloc(batch.buffer.length), ANY_PARTITION));
  batch.append(1_000, Buffer.alloc(0), 0, -1, Buffer.from('d'), 0, 1);
  assert.deepEqual(valuesOf(batch), ['a', 'b', 'd']);
});

test('both halves keep the age of the batch and whether its owners were answered', () => {
  const batch = batchOf(
    ['a', 'b'].map((value) => ({ value: Buffer.from(value), timestamp: 1 })),
    { arrivalMs: 70 },
  );
  batch.answered = true;
  const rest = new RecordBatch(Buffer.alloc(batch.buffer.length), ANY_PARTITION);
  batch.split(1, rest);
  for (const half of [batch, rest]) {
    assert.equal(half.openedAtMs, 70);
    assert.equal(half.answered, true);
  }
});

test('a batch of 300,000 records can be split', () => {
  const count = 300_000;
  const batch = new RecordBatch(Buffer.allocUnsafe(BATCH_HEADER_BYTES + count * 12), ANY_PARTITION);
  const value = Buffer.from('{}');
  for (let index = 0; index < count; index++) {
    batch.append(1_000 + (index === 7 ? 5 : 0), value, 0, -1, value, 0, 2);
    batch.addOwner(PLAIN_OWNER, 1, index, 0, 0);
  }
  const rest = new RecordBatch(Buffer.allocUnsafe(batch.buffer.length), ANY_PARTITION);
  batch.split(count / 2, rest);
  assert.equal(batch.records, count / 2);
  assert.equal(rest.records, count / 2);
  assert.equal(batch.maxTimestamp, 1_005);
});

test('only some of the records can be split off, into an empty batch', () => {
  const batch = batchOfValues(['a', 'b']);
  const rest = () => new RecordBatch(Buffer.alloc(batch.buffer.length), ANY_PARTITION);
  assert.throws(() => batch.split(0, rest()), assert.AssertionError);
  assert.throws(() => batch.split(2, rest()), assert.AssertionError);
  assert.throws(() => batch.split(1, batchOfValues(['c'])), assert.AssertionError);
});

test('restamping moves all timestamps by the same amount and changes nothing else', () => {
  fc.assert(
    fc.property(anyRecords, fc.integer({ min: 2 ** 30, max: 2 ** 42 }), (records, now) => {
      const batch = batchOf(records);
      batch.restamp(now);
      const shift = now - records[0]!.timestamp;
      assert.deepEqual(
        recordsOf(batch),
        records.map((record) => ({ ...record, timestamp: record.timestamp + shift })),
      );
      const newest = Math.max(...records.map(({ timestamp }) => timestamp));
      assert.equal(batch.maxTimestamp, newest + shift);
    }),
  );
});

test('a record is no longer than its key, its value and the maximum overhead', () => {
  fc.assert(
    fc.property(anyRecords, (records) => {
      const batch = batchOf(records.slice(0, 1));
      batch.buffer = Buffer.concat([batch.buffer, Buffer.alloc(20_000)]);
      for (const { key, value, timestamp } of records.slice(1)) {
        const maxLength =
          batch.length + RECORD_OVERHEAD_BYTES_MAX + (key?.length ?? 0) + value.length;
        const keyBytes = key ?? Buffer.alloc(0);
        batch.append(timestamp, keyBytes, 0, key?.length ?? -1, value, 0, value.length);
        assert(batch.length <= maxLength);
      }
    }),
  );
});

test('splitting keeps the stream of every record; records of one stream are one run', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(2), { minLength: 1, maxLength: 12, size: 'max' }),
      fc.array(fc.nat(1_000), { maxLength: 10, size: 'max' }),
      (streams, choices) => {
        const value = Buffer.from('{}');
        const batch = new RecordBatch(Buffer.alloc(4_096), ANY_PARTITION);
        for (const [index, stream] of streams.entries()) {
          batch.append(1_000, value, 0, -1, value, 0, value.length);
          batch.addOwner(PLAIN_OWNER, 1, index, 0, stream * 10);
        }
        for (const part of splitBy(batch, choices)) {
          const runs: [number, number][] = [];
          part.eachStream((cells, records) => runs.push([cells, records]));
          const expected = part.events.map((event) => streams[event]! * 10);
          assert.deepEqual(
            runs.flatMap(([cells, records]) => Array(records).fill(cells)),
            expected,
          );
          assert.deepEqual(
            expected,
            part.events.map((_, index) => part.cellsOf(index)),
          );
          assert(
            runs.every(([cells], index) => cells !== runs[index + 1]?.[0]),
            'maximal runs',
          );
        }
      },
    ),
  );
});
