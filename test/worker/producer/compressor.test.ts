import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { type Codec, loadCodec } from '../../../src/kafka/compression/codecs.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';
import { BATCH_HEADER_BYTES } from '../../../src/worker/accumulator/records.ts';
import { Compressor } from '../../../src/worker/producer/compressor.ts';
import { batchOf, batchOfValues, recordsOf } from '../../../testing/batches.ts';
import { headerOf, isWhole, valuesIn } from '../../fakes/broker/record-batch.ts';
import { availableCodecs, codecOf } from '../../support/uncompressed.ts';
import { Decoder, decodeRecordBatch } from '../kafkajs-protocol.ts';

const STAMP = { producerId: 4_001n, epoch: 3, sequence: 17 };
const VALUES = Array.from({ length: 60 }, (_, n) => `{"msg":"hello","clientId":"me","n":${n}}`);

class Rig {
  readonly budget = new Budget(2 ** 22);
  readonly lines: { level: number; error?: string; held?: number }[] = [];
  readonly compressor: Compressor;

  constructor(codec: Codec) {
    const log = pino({ base: null }, { write: (line) => this.lines.push(JSON.parse(line)) });
    this.compressor = new Compressor(codec, this.budget, log);
  }
}

/** A codec that uses only one of its two modes, whatever the size. */
function only(way: 'main' | 'thread', codec = loadCodec('gzip')): Codec {
  return { ...codec, threadBytes: way === 'main' ? Number.POSITIVE_INFINITY : 0 };
}

for (const way of ['main', 'thread'] as const) {
  for (const codec of availableCodecs()) {
    test(`codec ${codec.id}, ${way}: the same records in fewer bytes, charged`, async () => {
      const { budget, compressor } = new Rig(only(way, codec));
      const batch = batchOfValues(VALUES);
      const { length } = batch;
      await new Promise<void>((done) => {
        const isDone = compressor.compress(batch, done);
        assert.equal(isDone, way === 'main', 'a thread finishes later');
        if (isDone) done();
      });
      assert.equal(batch.length, length, 'the records are kept');
      assert(batch.sentBytes < length / 3, 'it is much smaller');
      assert.equal(budget.usedBytes, batch.compressed?.buffer.length);
      batch.seal(STAMP);
      assert.equal(codecOf(batch.bytes), codec.id);
      assert(isWhole(batch.bytes), 'length and checksum match the sent bytes');
      assert.deepEqual(valuesIn(batch.bytes), VALUES);
    });
  }

  test(`${way}: incompressible batches are sent uncompressed, and not tried again`, async () => {
    const { budget, compressor } = new Rig(only(way));
    const batch = batchOfValues(['x']);
    await new Promise<void>((done) => {
      if (compressor.compress(batch, done)) done();
    });
    assert.deepEqual(
      [batch.compressed, batch.mayCompress, budget.usedBytes],
      [undefined, false, 0],
    );
    batch.seal(STAMP);
    assert.equal(codecOf(batch.bytes), 0);
    assert.deepEqual(valuesIn(batch.bytes), ['x']);
  });

  test(`${way}: failures are sent uncompressed, with a sampled log line`, async () => {
    const fail = () => {
      throw new Error('no memory');
    };
    const codec = { ...only(way), compressSync: fail, compress: async () => fail() };
    const { lines, compressor } = new Rig(codec);
    for (let round = 0; round < 3; round++) {
      const batch = batchOfValues(VALUES);
      await new Promise<void>((done) => {
        if (compressor.compress(batch, done)) done();
      });
      batch.seal(STAMP);
      assert.equal(codecOf(batch.bytes), 0);
      assert.deepEqual(valuesIn(batch.bytes), VALUES);
    }
    assert.deepEqual(
      lines.map(({ level, error }) => [level, error]),
      [[50, 'Error: no memory']],
    );
  });
}

test('kafkajs decodes batches compressed with gzip', async () => {
  const records = VALUES.map((value, index) => ({
    key: index % 3 === 0 ? undefined : Buffer.from(`key ${index}`),
    value: Buffer.from(value),
    timestamp: 2 ** 40 + index * 7,
  }));
  const batch = batchOf(records);
  new Rig(only('main')).compressor.compress(batch, () => {});
  batch.seal(STAMP);
  const decoded = await decodeRecordBatch(new Decoder(batch.bytes));
  assert.equal(decoded.firstSequence, STAMP.sequence);
  assert.deepEqual(
    decoded.records.map(({ key, value, timestamp }) => ({
      key: key ?? undefined,
      value,
      timestamp: Number(timestamp),
    })),
    records,
  );
});

test('restamping changes only the header, sealing again updates the checksum', () => {
  const batch = batchOfValues(VALUES);
  new Rig(only('main')).compressor.compress(batch, () => {});
  batch.seal(STAMP);
  const records = (bytes: Buffer) => bytes.subarray(BATCH_HEADER_BYTES);
  const before = Buffer.from(batch.bytes);
  batch.restamp(5_000);
  batch.seal({ ...STAMP, epoch: 4, sequence: 0 });
  assert(records(batch.bytes).equals(records(before)), 'the compressed records are kept');
  assert(isWhole(batch.bytes), 'it is valid');
  assert.equal(headerOf(batch.bytes).firstTimestamp, 5_000);
  assert.deepEqual(
    recordsOf(batch).map(({ value }) => value.toString()),
    VALUES,
  );
});
