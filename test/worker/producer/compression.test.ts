/** The producer with compression on: fates, deadlines and the drain stay what they are. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type Codec, loadCodec } from '../../../src/kafka/compression/codecs.ts';
import { BATCH_HEADER_BYTES } from '../../../src/worker/accumulator/records.ts';
import { until } from '../../../testing/wait.ts';
import { type Attempt, FakeCluster } from '../../fakes/broker/cluster.ts';
import { codecOf } from '../../support/uncompressed.ts';
import { endPipelines, Pipeline, TOPIC } from './pipeline.ts';

after(endPipelines);

const GZIP = loadCodec('gzip');
const LIMIT_MS = { timeout: 20_000 };

/** gzip on a thread, whose results wait until they are let through. */
class Gate {
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

  /** Lets the results through that wait, or the first of them. */
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

  test(`${where}: an unknown batch goes out again with identical bytes`, LIMIT_MS, async () => {
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
    `${where}: a batch that is refused for good is split, each part compressed`,
    LIMIT_MS,
    async () => {
      const { cluster, pipeline, attempts, log } = await start(codec);
      const fault = cluster.inject({ ...produce, value: C, times: 3 }, { code: 87 });
      await pipeline.exchange(0, A, B, C, D);
      assert.equal(fault.consumed, 3, 'of four, of two, and alone');
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

  test(`${where}: behind a new epoch it is sealed anew`, LIMIT_MS, async () => {
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

test('a thread that cannot be begun: the batch goes as it is', LIMIT_MS, async () => {
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
  const authenticator = new Gate();
  const { pipeline, attempts, log } = await start(authenticator.codec);
  pipeline.send(0, A);
  await until(() => authenticator.waiting === 1, { what: 'the compression of the first' });
  pipeline.producer.flush();
  pipeline.send(0, B, C);
  pipeline.producer.flush();
  assert.equal(authenticator.begun, 1, 'one batch of a lane at a time');
  authenticator.open = true;
  authenticator.pass();
  await pipeline.settled();
  assert.deepEqual(log(), [A, B, C]);
  assert.deepEqual(
    attempts().map(({ header }) => header.sequence),
    [0, 1],
  );
  await pipeline.close();
});

test('lanes that are compressed at different times share a request', LIMIT_MS, async () => {
  const authenticator = new Gate();
  const { cluster, pipeline } = await start(authenticator.codec);
  pipeline.send(0, A);
  pipeline.send(1, B);
  await until(() => authenticator.waiting === 2, { what: 'the compression of both' });
  authenticator.pass(1);
  await until(() => authenticator.waiting === 1, { what: 'the compression of one' });
  authenticator.pass();
  await pipeline.settled();
  assert.equal(cluster.count('Produce'), 1);
  await pipeline.close();
});

test('a deadline that passes while a batch is compressed: it is never sent', LIMIT_MS, async () => {
  const authenticator = new Gate();
  const { pipeline, attempts } = await start(authenticator.codec, 1_000);
  pipeline.send(0, A);
  await until(() => authenticator.waiting === 1, { what: 'the compression' });
  pipeline.send(0, B);
  await until(() => pipeline.fates.has(B), { what: 'the deadline of the event behind it' });
  assert.equal(pipeline.fates.has(A), false, 'a thread reads it: it has to stay');
  authenticator.pass();
  await pipeline.settled();
  for (const value of [A, B]) assert.equal(pipeline.fates.get(value), 'kafka_unavailable');
  authenticator.open = true;
  await pipeline.exchange(0, C);
  assert.equal(pipeline.fates.get(C), 'stored');
  assert.deepEqual(
    attempts().map(({ header }) => header.sequence),
    [0],
  );
  await pipeline.close();
});

test('a drain waits for what is being compressed', LIMIT_MS, async () => {
  const authenticator = new Gate();
  const { pipeline, log } = await start(authenticator.codec);
  pipeline.send(0, A);
  await until(() => authenticator.waiting === 1, { what: 'the compression' });
  pipeline.producer.flush();
  assert.equal(pipeline.producer.settled, false);
  authenticator.pass();
  await until(() => pipeline.producer.settled, { what: 'the end of the drain' });
  assert.deepEqual(log(), [A]);
  await pipeline.close();
});

test('a batch whose partition is removed while it is compressed moves, and is stored once', async () => {
  const authenticator = new Gate();
  const { cluster, pipeline } = await start(authenticator.codec);
  pipeline.send(1, A, B);
  await until(() => authenticator.waiting === 1, { what: 'the compression' });
  cluster.createTopic(TOPIC, 1);
  pipeline.producer.refresh();
  await until(() => authenticator.waiting === 2, { what: 'the compression of what has moved' });
  pipeline.send(0, C);
  authenticator.open = true;
  authenticator.pass();
  await pipeline.settled();
  assert.deepEqual(cluster.partition(TOPIC, 0).values, [A, B, C]);
  await pipeline.close();
});
