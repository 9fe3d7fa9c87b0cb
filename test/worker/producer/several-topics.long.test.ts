/** Several topics of one producer: the state of one says nothing about the others. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { until } from '../../../testing/wait.ts';
import { FakeCluster } from '../../fakes/broker/cluster.ts';
import { assertWithin } from '../../support/bound.ts';
import { endPipelines, Pipeline, TOPIC } from './pipeline.ts';

const TIMEOUT_MS = 60_000;
const RUN_MS = 3_000;
const POLICY = 29;

after(endPipelines);

async function start(others: readonly string[]): Promise<Pipeline> {
  const topics = { [TOPIC]: 6, rejected: 3, other: 2 };
  const cluster = await FakeCluster.start({ brokers: 2, topics });
  const pipeline = await Pipeline.start(cluster, { others, ready: false });
  await until(() => pipeline.topic.partitions.length > 0, { what: 'the topic' });
  pipeline.send(0, 'first');
  await until(() => pipeline.fates.get('first') === 'stored', { what: 'the first event' });
  return pipeline;
}

/**
 * Returns the events of the healthy topic stored in a fixed time, a few at a time per partition.
 */
async function throughput(pipeline: Pipeline): Promise<number> {
  const endMs = performance.now() + RUN_MS;
  const rejected = pipeline.others.find(({ name }) => name === 'rejected');
  let stored = 0;
  // Values of earlier calls have their results already.
  for (let round = pipeline.fates.size; performance.now() < endMs; round++) {
    const values = Array.from({ length: 60 }, (_, index) => `${round}/${index}`);
    for (const [index, value] of values.entries()) pipeline.send(index % 6, value);
    if (rejected && rejected.partitions.length > 0 && round % 10 === 0) {
      pipeline.append(rejected, `key ${round}`, `rejected ${round}`);
    }
    await until(() => values.every((value) => pipeline.fates.has(value)), { everyMs: 1 });
    stored += values.filter((value) => pipeline.fates.get(value) === 'stored').length;
  }
  return stored;
}

describe('of several topics', { timeout: TIMEOUT_MS }, () => {
  test('a missing and a rejected topic do not slow down a healthy one', async () => {
    const alone = await start([]);
    const pipeline = await start(['missing', 'rejected']);
    const [missing, rejected] = pipeline.others as [Pipeline['topic'], Pipeline['topic']];
    await until(() => rejected.partitions.length === 3, { what: 'the other topic' });
    pipeline.cluster.topicErrors.set('rejected', POLICY);
    await assertWithin(async () => {
      const [before, concurrent] = [await throughput(alone), await throughput(pipeline)];
      return [{ value: 0.7 * before, most: concurrent, text: `events, ${before} alone` }];
    });
    await alone.close();
    pipeline.producer.refresh();
    await until(() => rejected.state === 'rejected', { what: 'the rejection' });
    assert.deepEqual(
      [pipeline.topic.state, missing.state, missing.partitions.length],
      ['known', 'missing', 0],
    );
    assert(pipeline.facts.includes('missing') && pipeline.facts.includes('refused'));
    const { stuckPartitions, unreachableMs } = pipeline.producer.delivery(performance.now());
    assert.equal(unreachableMs, 0);
    assert(stuckPartitions <= 3);
    await pipeline.end();
  });

  test('a leader that moved is found at once while another topic is missing', async () => {
    const pipeline = await start(['missing']);
    const { cluster } = pipeline;
    // By now the other topic is requested at the slowest pace.
    await until(() => cluster.count('Metadata') > 8, { what: 'requests' });
    await assertWithin(async () => {
      const partition = cluster.partition(TOPIC, 0);
      partition.leader = partition.leader === 2 ? 1 : 2;
      const event = `moved to ${partition.leader} after ${pipeline.fates.size}`;
      const startedMs = performance.now();
      pipeline.send(0, event);
      await until(() => pipeline.fates.has(event), { everyMs: 5, what: 'its result' });
      const value = performance.now() - startedMs;
      assert.equal(pipeline.fates.get(event), 'stored');
      return [{ value, most: 600, text: 'ms' }];
    });
    await pipeline.close();
  });

  test('batches of several topics share requests, and results are matched by topic', async () => {
    const pipeline = await start(['other']);
    const [other] = pipeline.others as [Pipeline['topic']];
    await until(() => other.partitions.length === 2, { what: 'the other topic' });
    const { cluster } = pipeline;
    cluster.inject({ request: 'Produce', value: 'events 0' }, { code: 19 });
    cluster.inject({ request: 'Produce', value: 'other 0', times: 20 }, { code: 87 });
    for (let round = 0; round < 50; round++) {
      pipeline.send(round % 6, `events ${round}`);
      pipeline.append(other, `key ${round}`, `other ${round}`);
      if (round % 10 === 9) await pipeline.settled();
    }
    for (let round = 0; round < 50; round++) {
      assert.equal(pipeline.fates.get(`events ${round}`), 'stored');
      const expected = round === 0 ? 'rejected_by_kafka' : 'stored';
      assert.equal(pipeline.fates.get(`other ${round}`), expected);
    }
    const stored = (topic: string) => cluster.topics.get(topic)!.flatMap(({ values }) => values);
    assert.equal(stored('other').length, 49);
    assert(stored('other').every((value) => value.startsWith('other')));
    const requests = new Map<number, Set<string>>();
    for (const { atMs, topic } of cluster.attempts) {
      requests.set(Math.round(atMs), (requests.get(Math.round(atMs)) ?? new Set()).add(topic));
    }
    assert(
      [...requests.values()].some(({ size }) => size === 2),
      'some carried both',
    );
    await pipeline.close();
  });
});
