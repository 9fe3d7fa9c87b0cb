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

/** One of the two ways of a codec, whatever the size. */
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
        assert.equal(isDone, way === 'main', 'a thread takes its time');
        if (isDone) done();
      });
      assert.equal(batch.length, length, 'the records stay');
      assert(batch.sentBytes < length / 3, 'it is much shorter');
      assert.equal(budget.usedBytes, batch.compressed?.buffer.length);
      batch.seal(STAMP);
      assert.equal(codecOf(batch.bytes), codec.id);
      assert(isWhole(batch.bytes), 'length and checksum are of what is sent');
      assert.deepEqual(valuesIn(batch.bytes), VALUES);
    });
  }

  test(`${way}: what would not get shorter goes as it is, and is not tried again`, async () => {
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

  test(`${way}: what fails goes as it is, with a line that is sampled`, async () => {
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

test('kafkajs decodes what was compressed with gzip', async () => {
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

test('stamping anew changes the header alone, sealing again the checksum with it', () => {
  const batch = batchOfValues(VALUES);
  new Rig(only('main')).compressor.compress(batch, () => {});
  batch.seal(STAMP);
  const records = (bytes: Buffer) => bytes.subarray(BATCH_HEADER_BYTES);
  const before = Buffer.from(batch.bytes);
  batch.restamp(5_000);
  batch.seal({ ...STAMP, epoch: 4, sequence: 0 });
  assert(records(batch.bytes).equals(records(before)), 'the compressed records are kept');
  assert(isWhole(batch.bytes), 'it is whole');
  assert.equal(headerOf(batch.bytes).firstTimestamp, 5_000);
  assert.deepEqual(
    recordsOf(batch).map(({ value }) => value.toString()),
    VALUES,
  );
});
