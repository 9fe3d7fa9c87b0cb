/** The producer with compression: results, deadlines and the drain do not change. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type Codec, loadCodec } from '../../../src/kafka/compression/codecs.ts';
import { BATCH_HEADER_BYTES } from '../../../src/worker/accumulator/records.ts';
import { PATIENCE_MS, until } from '../../../testing/wait.ts';
import { type Attempt, FakeCluster } from '../../fakes/broker/cluster.ts';
import { codecOf } from '../../support/uncompressed.ts';
import { endPipelines, Pipeline, TOPIC } from './pipeline.ts';

after(endPipelines);

const GZIP = loadCodec('gzip');
const LIMIT_MS = { timeout: PATIENCE_MS };

/** gzip on a thread, with results held until they are released. */
class HeldCodec {
  open = false;
  begun = 0;
  readonly #waiting: (() => void)[] = [];
  readonly codec: Codec = {
    ...GZIP,
    threadBytes: 0,
    compress: async (bytes) => {
      this.begun++;
      const compressed = await GZIP.compress(bytes);
      if (!this.open) await new Promise<void>((resolve) => this.#waiting.push(resolve));
      return compressed;
    },
  };

  /** Releases all held results, or the first `count` of them. */
  pass(count = this.#waiting.length): void {
    for (const resolve of this.#waiting.splice(0, count)) resolve();
  }

  get waiting(): number {
    return this.#waiting.length;
  }
}

const event = (name: string) => `{"msg":"${'hello '.repeat(40)}","name":"${name}"}`;
const [A, B, C, D] = ['a', 'b', 'c', 'd'].map(event) as [string, string, string, string];

async function start(codec: Codec, eventTimeoutMs = 60_000) {
  const cluster = await FakeCluster.start({ topics: { [TOPIC]: 2 } });
  const pipeline = await Pipeline.start(cluster, { codec, eventTimeoutMs });
  const attempts = (): Attempt[] => cluster.attempts.filter(({ partition }) => partition === 0);
  const log = () => cluster.partition(TOPIC, 0).values;
  return { cluster, pipeline, attempts, log };
}

for (const threadBytes of [0, Number.POSITIVE_INFINITY]) {
  const where = threadBytes === 0 ? 'a thread' : 'the main thread';
  const codec = { ...GZIP, threadBytes };
  const produce = { request: 'Produce', partition: 0 } as const;

  test(`${where}: an unknown batch is sent again with identical bytes`, LIMIT_MS, async () => {
    const { cluster, pipeline, attempts, log } = await start(codec);
    const fault = cluster.inject(produce, { code: 20, append: true });
    await pipeline.exchange(0, A, B, C, D);
    assert.equal(fault.consumed, 1);
    const [first, second, ...more] = attempts();
    assert.equal(codecOf(first!.bytes), GZIP.id);
    assert.deepEqual(second?.bytes, first?.bytes);
    assert.deepEqual(more, []);
    assert.deepEqual(log(), [A, B, C, D]);
    await pipeline.close();
  });

  test(
    `${where}: a batch that is rejected for good is split, each part compressed`,
    LIMIT_MS,
    async () => {
      const { cluster, pipeline, attempts, log } = await start(codec);
      const fault = cluster.inject({ ...produce, value: C, times: 3 }, { code: 87 });
      await pipeline.exchange(0, A, B, C, D);
      assert.equal(fault.consumed, 3, 'of four, of two, and of one record');
      assert.deepEqual(log(), [A, B, D]);
      assert.deepEqual(
        [A, B, C, D].map((value) => pipeline.fates.get(value)),
        ['stored', 'stored', 'rejected_by_kafka', 'stored'],
      );
      assert.deepEqual(
        attempts().map(({ bytes, header }) => [header.records, codecOf(bytes)]),
        [4, 2, 2, 1, 1].map((records) => [records, GZIP.id]),
      );
      await pipeline.close();
    },
  );

  test(`${where}: a batch is sealed again behind a new epoch`, LIMIT_MS, async () => {
    const { cluster, pipeline, attempts, log } = await start(codec);
    const fault = cluster.inject(produce, { code: 45 });
    await pipeline.exchange(0, A, B);
    assert.equal(fault.consumed, 1);
    assert.deepEqual(log(), [A, B]);
    const [first, second] = attempts();
    assert.deepEqual([first?.header.epoch, second?.header.epoch], [0, 1]);
    const [firstRecords, secondRecords] = [first, second].map((attempt) =>
      attempt?.bytes.subarray(BATCH_HEADER_BYTES),
    );
    assert.deepEqual(secondRecords, firstRecords);
    await pipeline.close();
  });
}

test('if no thread can be started, the batch is sent uncompressed', LIMIT_MS, async () => {
  const compress = (): Promise<Buffer> => {
    throw new Error('no thread');
  };
  const { pipeline, attempts, log } = await start({ ...GZIP, threadBytes: 0, compress });
  await pipeline.exchange(0, A, B);
  assert.deepEqual(log(), [A, B]);
  assert.equal(codecOf(attempts()[0]!.bytes), 0);
  await pipeline.close();
});

test('nothing overtakes a batch that is being compressed', LIMIT_MS, async () => {
  const held = new HeldCodec();
  const { pipeline, attempts, log } = await start(held.codec);
  pipeline.send(0, A);
  await until(() => held.waiting === 1, { what: 'the compression of the first' });
  pipeline.producer.flush();
  pipeline.send(0, B, C);
  pipeline.producer.flush();
  assert.equal(held.begun, 1, 'one batch of a lane at a time');
  held.open = true;
  held.pass();
  await pipeline.settled();
  assert.deepEqual(log(), [A, B, C]);
  assert.deepEqual(
    attempts().map(({ header }) => header.sequence),
    [0, 1],
  );
  await pipeline.close();
});

test('lanes whose compression ends at different times share a request', LIMIT_MS, async () => {
  const held = new HeldCodec();
  const { cluster, pipeline } = await start(held.codec);
  pipeline.send(0, A);
  pipeline.send(1, B);
  await until(() => held.waiting === 2, { what: 'the compression of both' });
  held.pass(1);
  await until(() => held.waiting === 1, { what: 'the compression of one' });
  held.pass();
  await pipeline.settled();
  assert.equal(cluster.count('Produce'), 1);
  await pipeline.close();
});

test('a batch whose deadline passes during compression is never sent', LIMIT_MS, async () => {
  const held = new HeldCodec();
  const { pipeline, attempts } = await start(held.codec, 1_000);
  pipeline.send(0, A);
  await until(() => held.waiting === 1, { what: 'the compression' });
  pipeline.send(0, B);
  await until(() => pipeline.fates.has(B), { what: 'the deadline of the event behind it' });
  assert.equal(pipeline.fates.has(A), false, 'a thread reads it');
  held.pass();
  await pipeline.settled();
  for (const value of [A, B]) assert.equal(pipeline.fates.get(value), 'kafka_unavailable');
  held.open = true;
  await pipeline.exchange(0, C);
  assert.equal(pipeline.fates.get(C), 'stored');
  assert.deepEqual(
    attempts().map(({ header }) => header.sequence),
    [0],
  );
  await pipeline.close();
});

test('a drain waits for compression', LIMIT_MS, async () => {
  const held = new HeldCodec();
  const { pipeline, log } = await start(held.codec);
  pipeline.send(0, A);
  await until(() => held.waiting === 1, { what: 'the compression' });
  pipeline.producer.flush();
  assert.equal(pipeline.producer.settled, false);
  held.pass();
  await until(() => pipeline.producer.settled, { what: 'the end of the drain' });
  assert.deepEqual(log(), [A]);
  await pipeline.close();
});

test('a batch whose partition is removed during compression moves, and is stored once', async () => {
  const held = new HeldCodec();
  const { cluster, pipeline } = await start(held.codec);
  pipeline.send(1, A, B);
  await until(() => held.waiting === 1, { what: 'the compression' });
  cluster.createTopic(TOPIC, 1);
  pipeline.producer.refresh();
  await until(() => held.waiting === 2, { what: 'the compression of the moved batch' });
  pipeline.send(0, C);
  held.open = true;
  held.pass();
  await pipeline.settled();
  assert.deepEqual(cluster.partition(TOPIC, 0).values, [A, B, C]);
  await pipeline.close();
});
