import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  BATCH_HEADER_BYTES,
  NO_HEADERS,
  type ProducerStamp,
  RECORD_OVERHEAD_BYTES_MAX,
  readRecords,
  recordBodyBytes,
  sealBatch,
  varintSize,
  writeRecord,
  writeVarint,
} from '../../../src/worker/accumulator/records.ts';
import { anyRecords, batchOf, batchOfValues, type RecordInput } from '../../../testing/batches.ts';
import { AT } from '../../fakes/broker/record-batch.ts';
import {
  crc32c,
  Decoder,
  decodeRecordBatch,
  encodeRecord,
  encodeRecordBatch,
} from '../kafkajs-protocol.ts';

const STAMP: ProducerStamp = { producerId: 4_001n, epoch: 3, sequence: 17 };
const anyStamp = fc.record({
  producerId: fc.bigInt({ min: 0n, max: 2n ** 53n }),
  epoch: fc.nat(32_767),
  sequence: fc.nat(2 ** 31 - 1),
});

function sealed(records: readonly RecordInput[], stamp: ProducerStamp): Buffer {
  const batch = batchOf(records);
  batch.seal(stamp);
  return batch.buffer.subarray(0, batch.length);
}

/** The same batch, encoded by kafkajs. */
async function byKafkajs(records: readonly RecordInput[], stamp: ProducerStamp): Promise<Buffer> {
  const timestamps = records.map(({ timestamp }) => timestamp);
  const firstTimestamp = timestamps[0]!;
  const batch = await encodeRecordBatch({
    firstTimestamp,
    maxTimestamp: Math.max(...timestamps),
    partitionLeaderEpoch: -1,
    lastOffsetDelta: records.length - 1,
    producerId: String(stamp.producerId),
    producerEpoch: stamp.epoch,
    firstSequence: stamp.sequence,
    records: records.map(({ key, value, timestamp }, offsetDelta) =>
      encodeRecord({
        offsetDelta,
        timestampDelta: timestamp - firstTimestamp,
        key: key ?? null,
        value,
      }),
    ),
  });
  return batch.buffer;
}

/** Reads a varint through the record parser, as the timestamp delta of a record. */
function readVarint(bytes: Buffer): number {
  const body = Buffer.concat([Buffer.alloc(BATCH_HEADER_BYTES), Buffer.of(0, 0), bytes]);
  const rest = Buffer.of(0, 1, 0, 0);
  return readRecords(Buffer.concat([body, rest]), 1)[0]!.timestampDelta;
}

test('varints round-trip, in the number of bytes announced', () => {
  const edges = [0, -1, 1, 63, 64, -64, -65, 8191, 8192, 2 ** 20, 2 ** 27, -(2 ** 27) - 1];
  const around = [2 ** 30 - 1, 1 - 2 ** 30];
  const check = (value: number) => {
    const target = Buffer.alloc(8, 0xff);
    const end = writeVarint(target, 1, value);
    assert.equal(end - 1, varintSize(value));
    assert.equal(readVarint(target.subarray(1, end)), value);
    assert.equal(target[0], 0xff);
    assert.equal(target[end], 0xff);
  };
  for (const value of [...edges, ...around]) check(value);
  fc.assert(fc.property(fc.integer({ min: 1 - 2 ** 30, max: 2 ** 30 - 1 }), check));
});

test('a sealed batch equals the encoding of kafkajs, byte for byte', async () => {
  await fc.assert(
    fc.asyncProperty(anyRecords, anyStamp, async (records, stamp) => {
      assert.deepEqual(sealed(records, stamp), await byKafkajs(records, stamp));
    }),
    { numRuns: 60 },
  );
});

test('kafkajs decodes a sealed batch into the original records', async () => {
  await fc.assert(
    fc.asyncProperty(anyRecords, anyStamp, async (records, stamp) => {
      const decoded = await decodeRecordBatch(new Decoder(sealed(records, stamp)));
      assert.equal(decoded.producerId, String(stamp.producerId));
      assert.equal(decoded.producerEpoch, stamp.epoch);
      assert.equal(decoded.firstSequence, stamp.sequence);
      assert.equal(decoded.lastOffsetDelta, records.length - 1);
      assert.deepEqual(
        decoded.records.map(({ key, value, timestamp, headers }) => ({
          key: key ?? undefined,
          value,
          timestamp: Number(timestamp),
          headers,
        })),
        records.map((record) => ({ ...record, headers: {} })),
      );
    }),
    { numRuns: 60 },
  );
});

test('no key and an empty key are different, and both round-trip', async () => {
  const value = Buffer.from('{}');
  const records = [
    { value, timestamp: 5 },
    { key: Buffer.alloc(0), value, timestamp: 5 },
  ];
  const decoded = await decodeRecordBatch(new Decoder(sealed(records, STAMP)));
  assert.deepEqual(
    decoded.records.map(({ key }) => key),
    [null, Buffer.alloc(0)],
  );
});

test('records older than the first have negative deltas; maxTimestamp is the newest', () => {
  const value = Buffer.from('{}');
  const batch = batchOf([
    { value, timestamp: 1_000_000 },
    { value, timestamp: 400_000 },
    { value, timestamp: 1_000_001 },
  ]);
  batch.seal(STAMP);
  assert.equal(batch.buffer.readBigInt64BE(AT.firstTimestamp), 1_000_000n);
  assert.equal(batch.buffer.readBigInt64BE(AT.maxTimestamp), 1_000_001n);
  const deltas = readRecords(batch.buffer, 3).map(({ timestampDelta }) => timestampDelta);
  assert.deepEqual(deltas, [0, -600_000, 1]);
});

test('the checksum covers everything from the attributes on, and sealing again updates it', () => {
  const batch = batchOfValues(['{"a":1}', '{"b":2}']);
  for (const sequence of [17, 18]) {
    batch.seal({ ...STAMP, sequence });
    const bytes = batch.buffer.subarray(0, batch.length);
    assert.equal(bytes.readUInt32BE(AT.crc), crc32c(bytes.subarray(AT.attributes)));
    assert.equal(bytes.readInt32BE(AT.length), bytes.length - AT.length - 4);
  }
});

test('a single record is never longer than overhead, key, value and headers', () => {
  const [keyBytes, valueBytes, headersBytes] = [2 ** 20, 2 ** 21, 2 ** 11];
  const contentBytes = keyBytes + valueBytes + headersBytes;
  const body = recordBodyBytes(1 - 2 ** 30, 2 ** 29, keyBytes, valueBytes, headersBytes);
  assert(varintSize(body) + body <= RECORD_OVERHEAD_BYTES_MAX + contentBytes, 'no longer');
});

test('the value is exactly the given range of the source', () => {
  const target = Buffer.alloc(200);
  const source = Buffer.from('xx{"a":1}yy');
  const body = recordBodyBytes(0, 0, -1, 7, NO_HEADERS.length);
  const [none, at] = [Buffer.alloc(0), BATCH_HEADER_BYTES];
  writeRecord(target, at, body, 0, 0, none, 0, -1, source, 2, 9, NO_HEADERS);
  const [record] = readRecords(target, 1);
  const { valueStart, valueBytes } = record!;
  assert.equal(target.toString('utf8', valueStart, valueStart + valueBytes), '{"a":1}');
});

test('an empty batch, one beyond its buffer and an unset stamp are not sealed', () => {
  const batch = batchOfValues(['{}']);
  const { buffer, length } = batch;
  assert.throws(() => sealBatch(buffer, length, 0, 1, 1, STAMP, 0), assert.AssertionError);
  assert.throws(
    () => sealBatch(buffer, buffer.length + 1, 1, 1, 1, STAMP, 0),
    assert.AssertionError,
  );
  for (const unset of [{ producerId: -1n }, { epoch: -1 }, { sequence: -1 }]) {
    assert.throws(() => batch.seal({ ...STAMP, ...unset }), assert.AssertionError);
  }
});
