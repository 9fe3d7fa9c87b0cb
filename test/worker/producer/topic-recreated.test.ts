/** Recreation of a topic, with fewer, more and as many partitions, under a running producer. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { LIMITS } from '../../../src/config/limits.ts';
import { until } from '../../../testing/wait.ts';
import { FakeCluster } from '../../fakes/broker/cluster.ts';
import { endPipelines, Pipeline, type PipelineOptions, TOPIC } from './pipeline.ts';

const TIMEOUT_MS = 30_000;
const KEYS = Array.from({ length: 24 }, (_, index) => `key ${index}`);

after(endPipelines);

interface Options extends PipelineOptions {
  readonly brokers?: number;
  readonly topicIds?: boolean;
  readonly partitions?: number;
}

/** Returns a pipeline that has stored an event of each key. */
async function warm({ brokers = 2, topicIds = true, partitions = 12, ...rest }: Options = {}) {
  const cluster = await FakeCluster.start({ brokers, topicIds, topics: { [TOPIC]: partitions } });
  const pipeline = await Pipeline.start(cluster, rest);
  await sendAll(pipeline, 'warm');
  return { cluster, pipeline };
}

async function sendAll(pipeline: Pipeline, name: string): Promise<void> {
  for (const key of KEYS) pipeline.append(pipeline.topic, key, `${name} ${key}`);
  await pipeline.settled();
}

/** Asserts that all events of this name have this result. */
function assertFates(pipeline: Pipeline, name: string, fate = 'stored'): void {
  for (const key of KEYS) assert.equal(pipeline.fates.get(`${name} ${key}`), fate, key);
}

function valuesIn(cluster: FakeCluster): string[] {
  return cluster.topics.get(TOPIC)!.flatMap(({ values }) => values);
}

describe('a recreated topic', { concurrency: true, timeout: TIMEOUT_MS }, () => {
  for (const [how, options] of [
    ['its id tells', {}],
    ['two brokers tell', { topicIds: false }],
    ['the only broker tells for a while', { topicIds: false, brokers: 1 }],
  ] as const) {
    test(`with fewer partitions, repeatedly: each key is stored; ${how}`, async () => {
      const { cluster, pipeline } = await warm(options);
      for (const count of how.includes('while') ? [3] : [3, 1, 7, 2]) {
        const startedMs = performance.now();
        cluster.createTopic(TOPIC, count);
        await sendAll(pipeline, `${count}`);
        assertFates(pipeline, `${count}`);
        assert.equal(valuesIn(cluster).length, KEYS.length, 'in the current topic');
        const tookMs = performance.now() - startedMs;
        if (how.includes('while')) assert(tookMs >= LIMITS.fewerPartitions.steadyMs);
        else assert(tookMs < LIMITS.fewerPartitions.steadyMs, `${tookMs} ms`);
        assert(pipeline.topic.partitions.length <= count, 'only existing ones');
      }
      assert.deepEqual(pipeline.overdue, []);
      await pipeline.close();
    });
  }

  test('after it was missing: events sent meanwhile are stored, in order per key', async () => {
    const { cluster, pipeline } = await warm({ topicIds: false, brokers: 1 });
    cluster.deleteTopic(TOPIC);
    for (let round = 0; round < 5; round++) {
      for (const key of KEYS) pipeline.append(pipeline.topic, key, `${round} ${key}`);
    }
    await until(() => pipeline.facts.includes('missing'), { what: 'the missing topic' });
    cluster.createTopic(TOPIC, 3);
    for (const key of KEYS) pipeline.append(pipeline.topic, key, `5 ${key}`);
    await pipeline.settled();
    for (let round = 0; round < 6; round++) assertFates(pipeline, `${round}`);
    for (const key of KEYS) {
      const ofKey = valuesIn(cluster).filter((value) => value.endsWith(` ${key}`));
      assert.deepEqual(
        ofKey,
        [0, 1, 2, 3, 4, 5].map((round) => `${round} ${key}`),
      );
    }
    assert(pipeline.facts.includes('recreated'));
    await pipeline.close();
  });

  test('a batch sent to a removed partition without a response gets timeout at once', async () => {
    const { cluster, pipeline } = await warm();
    const silent = cluster.inject({ request: 'Produce', partition: 7 }, { wire: 'silence' });
    pipeline.send(7, 'sent');
    await until(() => silent.consumed === 1, { what: 'the request' });
    pipeline.send(7, 'waiting');
    cluster.createTopic(TOPIC, 3);
    const startedMs = performance.now();
    pipeline.append(pipeline.topic, undefined, 'other');
    pipeline.send(4, 'sent too');
    await until(() => pipeline.overdue.length > 0, { what: 'the result' });
    assert.deepEqual(pipeline.overdue, ['sent']);
    await pipeline.settled();
    assert(performance.now() - startedMs < 10_000);
    assert.deepEqual(
      ['sent', 'waiting', 'sent too', 'other'].map((value) => pipeline.fates.get(value)),
      ['timeout', 'stored', 'stored', 'stored'],
    );
    assert(!valuesIn(cluster).includes('sent'));
    await pipeline.close();
  });

  test('a batch that may be stored is not sent again for another partition', async () => {
    const { cluster, pipeline } = await warm();
    const down = cluster.inject(
      { request: 'Produce', partition: 7, times: 2 },
      { append: true, wire: 'close' },
    );
    pipeline.send(7, 'unknown');
    await until(() => down.consumed === 1, { what: 'the request' });
    const unknownAttempts = () => cluster.attempts.filter(({ bytes }) => bytes.includes('unknown'));
    // The partition is removed before the batch is stored or its fate is known.
    cluster.createTopic(TOPIC, 3);
    pipeline.send(7, 'waiting');
    pipeline.producer.refresh();
    await pipeline.settled();
    assert.deepEqual(
      ['unknown', 'waiting'].map((value) => pipeline.fates.get(value)),
      ['timeout', 'stored'],
    );
    assert(unknownAttempts().every(({ partition }) => partition === 7));
    assert.deepEqual(valuesIn(cluster), ['waiting']);
    await pipeline.close();
  });

  test('a batch that may be stored is sent again, with its bytes, to a remaining partition', async () => {
    const { cluster, pipeline } = await warm();
    const down = cluster.inject({ request: 'Produce', partition: 1 }, { append: true, code: 7 });
    pipeline.send(1, 'unknown');
    await until(() => down.consumed === 1, { what: 'the request' });
    cluster.createTopic(TOPIC, 3);
    pipeline.producer.refresh();
    await pipeline.settled();
    assert.equal(pipeline.fates.get('unknown'), 'stored');
    const attempts = cluster.attempts.filter(({ bytes }) => bytes.includes('unknown'));
    assert(attempts.length >= 2);
    for (const { partition, bytes } of attempts) {
      assert.equal(partition, 1);
      assert.deepEqual(bytes, attempts[0]!.bytes);
    }
    await pipeline.close();
  });

  test('with as many partitions: rejections and back-offs end, and events are stored', async () => {
    const { cluster, pipeline } = await warm();
    cluster.topicErrors.set(TOPIC, 29);
    for (const key of KEYS) pipeline.append(pipeline.topic, key, `again ${key}`);
    await until(() => pipeline.facts.includes('refused'), { what: 'a rejection' });
    await until(() => pipeline.topic.state === 'rejected', { what: 'the state' });
    pipeline.topic.maxMessageBytes = 100;
    cluster.topicErrors.delete(TOPIC);
    cluster.createTopic(TOPIC, 12);
    pipeline.producer.refresh();
    await until(() => pipeline.facts.includes('recreated'), { what: 'the new topic' });
    assert(pipeline.topic.maxMessageBytes >= LIMITS.maxMessageBytesDefault);
    await pipeline.settled();
    assertFates(pipeline, 'again');
    assert.equal(pipeline.facts.filter((fact) => fact === 'allowed').length, 1);
    assert.equal(pipeline.topic.state, 'known');
    await pipeline.close();
  });

  test('producer ids needed only by removed partitions are no longer requested', async () => {
    const { cluster, pipeline } = await warm({ partitions: 3 });
    const ids = { request: 'InitProducerId' } as const;
    cluster.inject({ ...ids, times: Number.POSITIVE_INFINITY }, { code: 31 });
    cluster.createTopic(TOPIC, 12);
    pipeline.producer.refresh();
    await until(() => pipeline.facts.includes('refused'), { what: 'a rejection' });
    cluster.createTopic(TOPIC, 3);
    pipeline.producer.refresh();
    await until(() => pipeline.facts.includes('allowed'), { what: 'the end of the rejection' });
    await sendAll(pipeline, 'again');
    assertFates(pipeline, 'again');
    const asked = cluster.count('InitProducerId');
    const requests = cluster.count('Metadata');
    const looksAgain = () => {
      pipeline.producer.refresh();
      return cluster.count('Metadata') > requests + 2;
    };
    await until(looksAgain, { everyMs: 50, what: 'further rounds' });
    assert.equal(cluster.count('InitProducerId'), asked);
    assert(pipeline.facts.lastIndexOf('allowed') > pipeline.facts.lastIndexOf('refused'));
    await pipeline.close();
  });

  test('its limit is read again, although no event can be sent to detect it', async () => {
    const { cluster, pipeline } = await warm();
    pipeline.topic.maxMessageBytes = 100;
    cluster.createTopic(TOPIC, 12);
    await until(() => {
      pipeline.offer('x'.repeat(200));
      return pipeline.facts.includes('recreated');
    });
    assert(pipeline.topic.maxMessageBytes >= LIMITS.maxMessageBytesDefault);
    await pipeline.end();
  });

  test('with more partitions: all of them are used', async () => {
    const { cluster, pipeline } = await warm({ partitions: 3 });
    cluster.createTopic(TOPIC, 12);
    pipeline.producer.refresh();
    await until(() => pipeline.topic.partitions.length === 12, { what: 'the new partitions' });
    await sendAll(pipeline, 'more');
    assertFates(pipeline, 'more');
    const used = cluster.topics.get(TOPIC)!.filter(({ values }) => values.length > 0);
    assert(used.length > 3, `${used.length} partitions`);
    await pipeline.close();
  });

  test('one broker that does not know of the deletion changes nothing', async () => {
    const { cluster, pipeline } = await warm({ topicIds: false, brokers: 3 });
    const whole = cluster.topics.get(TOPIC)!;
    cluster.topics.set(TOPIC, whole.slice(0, 3));
    const asked = cluster.count('Metadata');
    pipeline.producer.refresh();
    await until(() => cluster.count('Metadata') > asked, { what: 'a request' });
    cluster.topics.set(TOPIC, whole);
    await sendAll(pipeline, 'all');
    assertFates(pipeline, 'all');
    assert.equal(pipeline.topic.partitions.length, 12);
    assert(!pipeline.facts.includes('recreated'));
    await pipeline.close();
  });
});
