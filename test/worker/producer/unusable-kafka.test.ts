/** Kafka that is connected but cannot store events, in all or some partitions. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { Delivery } from '../../../src/ipc.ts';
import { PATIENCE_MS, until } from '../../../testing/wait.ts';
import { FakeCluster } from '../../fakes/broker/cluster.ts';
import { endPipelines, Pipeline, TOPIC } from './pipeline.ts';

/** Broker 1 leads partition 0, broker 2 leads partition 1. */
const TWO = { brokers: 2, topics: { [TOPIC]: 2 } };
const EVENT_TIMEOUT_MS = 300;

after(endPipelines);

const delivery = ({ producer }: Pipeline): Delivery => producer.delivery(performance.now());
const produceConnected = (cluster: FakeCluster) => cluster.count('Produce') > 0;

/** Sends an event that expires, and waits until nothing of it is left. */
async function expire(pipeline: Pipeline, partition: number, value: string): Promise<void> {
  await pipeline.exchange(partition, value);
  assert.equal(pipeline.fates.get(value), 'kafka_unavailable');
  assert(pipeline.producer.settled);
}

describe('an unusable Kafka', { concurrency: true, timeout: PATIENCE_MS }, () => {
  for (const [code, name] of [
    [31, 'CLUSTER_AUTHORIZATION_FAILED'],
    [29, 'TOPIC_AUTHORIZATION_FAILED'],
    [44, 'POLICY_VIOLATION'],
  ] as const) {
    test(`${name} for each producer id: never reached, rejected, until one is granted`, async () => {
      const cluster = await FakeCluster.start(TWO);
      const target = { request: 'InitProducerId' as const, times: Number.POSITIVE_INFINITY };
      const injected = cluster.inject(target, { code });
      const pipeline = await Pipeline.start(cluster, { ready: false });
      await until(() => injected.consumed >= 4, { what: 'requests for producer ids' });
      assert(pipeline.facts.includes('refused'));
      assert(!pipeline.facts.includes('known') && !pipeline.facts.includes('allowed'));
      const { unreachableMs, reason } = delivery(pipeline);
      assert(unreachableMs > 0);
      assert.equal(reason, `Kafka answers ${name} for a producer id`);
      assert(!produceConnected(cluster));
      target.times = 0;
      await pipeline.known();
      await pipeline.exchange(0, 'a');
      assert.equal(pipeline.fates.get('a'), 'stored');
      assert.equal(pipeline.facts.filter((fact) => fact === 'refused').length, 1);
      assert(pipeline.facts.includes('allowed'));
      assert.equal(delivery(pipeline).unreachableMs, 0);
      await pipeline.close();
    });
  }

  test('a producer id error other than authorization: never reached, and not rejected', async () => {
    const cluster = await FakeCluster.start(TWO);
    const target = { request: 'InitProducerId' as const, times: Number.POSITIVE_INFINITY };
    const injected = cluster.inject(target, { code: 15 });
    const pipeline = await Pipeline.start(cluster, { ready: false });
    await until(() => injected.consumed >= 4, { what: 'requests for producer ids' });
    assert(!pipeline.facts.some((fact) => fact === 'known' || fact === 'refused'));
    target.times = 0;
    await pipeline.known();
    await pipeline.close();
  });

  test('events expired without a producer id: their partitions stay stuck until one is granted', async () => {
    const cluster = await FakeCluster.start(TWO);
    const target = { request: 'InitProducerId' as const, times: Number.POSITIVE_INFINITY };
    cluster.inject(target, { code: 31 });
    const options = { ready: false, eventTimeoutMs: EVENT_TIMEOUT_MS };
    const pipeline = await Pipeline.start(cluster, options);
    await until(() => delivery(pipeline).partitions === 2, { what: 'the partitions' });
    await expire(pipeline, 0, 'a');
    const first = delivery(pipeline).stuckMs;
    assert(first >= EVENT_TIMEOUT_MS, `${first}`);
    await expire(pipeline, 0, 'b');
    const second = delivery(pipeline).stuckMs;
    assert(second >= 2 * EVENT_TIMEOUT_MS, `${second}: since the first one`);
    target.times = 0;
    await until(() => delivery(pipeline).stuckMs === 0, { what: 'the recovery' });
    await pipeline.close();
  });

  test('events expired for an unreachable leader: stuck with its reason, until it is back', async () => {
    const cluster = await FakeCluster.start(TWO);
    cluster.broker(2).advertised = { host: '127.0.0.1', port: 1 };
    const pipeline = await Pipeline.start(cluster, { eventTimeoutMs: EVENT_TIMEOUT_MS });
    await expire(pipeline, 1, 'a');
    await pipeline.exchange(0, 'others are stored');
    const { stuckMs, unansweredMs } = delivery(pipeline);
    assert(stuckMs >= EVENT_TIMEOUT_MS, `${stuckMs}`);
    assert.equal(unansweredMs, 0, 'its leader was sent nothing');
    await until(() => delivery(pipeline).stuckPartitions === 1, { what: 'the time of an outage' });
    const { reason } = delivery(pipeline);
    assert.equal(reason, 'Kafka cannot be reached: connection refused');
    cluster.broker(2).advertised = undefined;
    await until(() => delivery(pipeline).stuckMs === 0, { what: 'the recovery' });
    await pipeline.exchange(1, 'b');
    assert.equal(pipeline.fates.get('b'), 'stored');
    await pipeline.close();
  });

  test('events expired for a partition without a leader: stuck with that reason, until it has one', async () => {
    const cluster = await FakeCluster.start(TWO);
    cluster.partition(TOPIC, 1).leader = -1;
    const pipeline = await Pipeline.start(cluster, { eventTimeoutMs: EVENT_TIMEOUT_MS });
    await expire(pipeline, 1, 'a');
    await until(() => delivery(pipeline).stuckPartitions === 1, { what: 'the time of an outage' });
    assert.equal(delivery(pipeline).reason, 'a partition has no leader');
    cluster.partition(TOPIC, 1).leader = 2;
    await until(() => delivery(pipeline).stuckMs === 0, { what: 'the recovery' });
    await pipeline.close();
  });

  test('the reason of a past failure is not reported for the next one', async () => {
    const cluster = await FakeCluster.start({ topics: { [TOPIC]: 1 } });
    const pipeline = await Pipeline.start(cluster);
    const injected = cluster.inject({ request: 'Produce' }, { code: 19 });
    await pipeline.exchange(0, 'a');
    assert.equal(injected.consumed, 1);
    const target = { request: 'Produce' as const, times: Number.POSITIVE_INFINITY };
    cluster.inject(target, { wire: 'silence' });
    pipeline.send(0, 'b');
    await until(() => delivery(pipeline).stuckPartitions === 1, { what: 'a stuck partition' });
    assert.match(delivery(pipeline).reason, /does not answer/);
    await pipeline.end();
  });
});
