/**
 * Brokers with wrong, late, partial or missing responses, and unreachable brokers: the process
 * survives, events are stored once, and healthy partitions are not affected.
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProduceErrorClass } from '../../../src/metrics/labels.ts';
import { until } from '../../../testing/wait.ts';
import { type ClusterOptions, FakeCluster } from '../../fakes/broker/cluster.ts';
import type { Fault, Target, WireFault } from '../../fakes/broker/injections.ts';
import { endPipelines, Pipeline, TOPIC } from './pipeline.ts';

/** Broker 1 leads partition 0, broker 2 leads partition 1. */
const TWO: ClusterOptions = { brokers: 2, topics: { [TOPIC]: 2 } };
const TIMEOUT_MS = 20_000;

after(endPipelines);

const titled = (wire: WireFault) =>
  typeof wire === 'string' ? wire : `a length of ${wire.length}`;

/** Faults of a response, and the class of the attempt. */
const LOST: readonly [WireFault, ProduceErrorClass][] = [
  ['close', 'connection'],
  ['reset', 'connection'],
  ['half, then close', 'connection'],
  ['garbage', 'connection'],
  ['other correlation id', 'connection'],
  [{ length: -1 }, 'connection'],
  [{ length: -(2 ** 31) }, 'connection'],
  [{ length: 0 }, 'connection'],
  [{ length: 2 }, 'connection'],
  [{ length: 12 }, 'connection'], // shorter than what follows
  [{ length: 2 ** 31 - 1 }, 'connection'],
  [{ length: 4_000 }, 'request_timeout'], // longer than what follows
  ['silence', 'request_timeout'],
  ['half, then silence', 'request_timeout'],
];

/** One produce request to broker 1 meets `fault`; events for broker 2 continue. */
async function oneProduce(fault: Fault, errors: Partial<Record<ProduceErrorClass, number>>) {
  const cluster = await FakeCluster.start(TWO);
  const pipeline = await Pipeline.start(cluster);
  const injected = cluster.inject({ request: 'Produce', partition: 0 }, fault);
  pipeline.send(0, 'a', 'b');
  const neighbours = Array.from({ length: 3 }, (_, index) => `neighbour ${index}`);
  for (const value of neighbours) {
    pipeline.send(1, value);
    await until(() => pipeline.fates.get(value), { everyMs: 1, what: 'the neighbour' });
  }
  if (errors.request_timeout) assert(!pipeline.fates.has('a'), 'no wait for the neighbor');
  await pipeline.settled();
  assert.equal(injected.consumed, 1);
  await pipeline.exchange(0, 'next');
  assert(
    [...pipeline.fates.values()].every((fate) => fate === 'stored'),
    'stored',
  );
  assert.deepEqual(cluster.partition(TOPIC, 0).values, ['a', 'b', 'next'], 'once, in order');
  assert.deepEqual(cluster.partition(TOPIC, 1).values, neighbours);
  assert.deepEqual(pipeline.errors, errors);
  assert.deepEqual(pipeline.resets, { epoch: 0, producerId: 0 });
  const [first, second] = cluster.attempts.filter(({ partition }) => partition === 0);
  if (Object.keys(errors).length > 0) assert.deepEqual(first?.bytes, second?.bytes);
  await pipeline.close();
}

/** Requests before the first event is stored. */
const BEFORE: readonly Target['request'][] = ['ApiVersions', 'Metadata', 'InitProducerId'];

const LOGIN = { username: 'forebay', password: 'secret' };

describe('against a hostile cluster', { concurrency: true, timeout: TIMEOUT_MS }, () => {
  describe('a produce response', { concurrency: true, timeout: TIMEOUT_MS }, () => {
    for (const [wire, errorClass] of LOST) {
      for (const append of [true, false]) {
        test(`${titled(wire)}, ${append ? 'appended' : 'not appended'}: the same bytes again`, () =>
          oneProduce({ wire, append }, { [errorClass]: 1 }));
      }
    }

    for (const append of [true, false]) {
      test(`without the partition, ${append ? 'appended' : 'not appended'}: counts as no response`, () =>
        oneProduce({ omit: true, append }, { missing_partition: 1 }));
    }

    test('sent twice: the second one is not taken for the next request’s', () =>
      oneProduce({ wire: 'twice', append: true }, {}));

    test('slow but in time: awaited', () => oneProduce({ delayMs: 900, append: true }, {}));

    test('missing several times: stored once in the end', async () => {
      const cluster = await FakeCluster.start(TWO);
      const pipeline = await Pipeline.start(cluster);
      const target = { request: 'Produce', partition: 0, times: 5 } as const;
      const injected = cluster.inject(target, { wire: 'reset', append: true });
      await pipeline.exchange(0, 'a');
      assert.equal(injected.consumed, 5);
      assert.deepEqual(pipeline.errors, { connection: 5 });
      assert.deepEqual(cluster.partition(TOPIC, 0).values, ['a']);
      await pipeline.close();
    });

    test('with a throttle time above the guard: a quota is not a fault', async () => {
      const cluster = await FakeCluster.start(TWO);
      const pipeline = await Pipeline.start(cluster);
      const target = { request: 'Produce', partition: 0 } as const;
      const injected = cluster.inject(target, { throttleMs: 2_500, append: true });
      await pipeline.exchange(0, 'a');
      await pipeline.exchange(1, 'neighbour');
      await pipeline.exchange(0, 'b');
      assert.equal(injected.consumed, 1);
      assert.deepEqual(pipeline.errors, {});
      assert.deepEqual(cluster.partition(TOPIC, 0).values, ['a', 'b']);
      const [first, second] = cluster.attempts.filter(({ partition }) => partition === 0);
      assert(second!.atMs - first!.atMs >= 2_490, 'nothing was sent meanwhile');
      await pipeline.close();
    });
  });

  describe('at the start', { concurrency: true, timeout: TIMEOUT_MS }, () => {
    for (const request of BEFORE) {
      for (const wire of [...LOST.map(([each]) => each), 'twice' as const]) {
        test(`${request}, ${titled(wire)}: retried`, async () => {
          const cluster = await FakeCluster.start(TWO);
          const injected = cluster.inject({ request }, { wire });
          const pipeline = await Pipeline.start(cluster);
          pipeline.send(0, 'a');
          pipeline.send(1, 'b');
          await pipeline.settled();
          assert.equal(injected.consumed, 1);
          assert.deepEqual(Object.fromEntries(pipeline.fates), { a: 'stored', b: 'stored' });
          assert.deepEqual(pipeline.errors, {});
          await pipeline.close();
        });
      }
    }

    test('no coordinator for producer ids yet: retried', async () => {
      const cluster = await FakeCluster.start(TWO);
      const target = { request: 'InitProducerId', times: 1 } as const;
      const injected = [14, 15, 41, -1].map((code) => cluster.inject(target, { code }));
      const pipeline = await Pipeline.start(cluster);
      await pipeline.exchange(0, 'a');
      assert(injected.every(({ consumed }) => consumed === 1));
      assert.equal(pipeline.fates.get('a'), 'stored');
      await pipeline.close();
    });

    test('a topic that is missing, then rejected, then available', async () => {
      const cluster = await FakeCluster.start(TWO);
      const missing = cluster.inject({ request: 'Metadata', times: 2 }, { code: 3 });
      const refused = cluster.inject({ request: 'Metadata' }, { code: 29 });
      const pipeline = await Pipeline.start(cluster);
      assert.deepEqual([missing.consumed, refused.consumed], [2, 1]);
      const missingTwice = ['unreachable', 'missing', 'unreachable', 'missing'];
      // Until its leader is connected, it is unreachable for another reason.
      const expected = [...missingTwice, 'unreachable', 'unreachable'];
      assert.deepEqual(pipeline.facts.slice(0, 6), expected);
      await pipeline.exchange(0, 'a');
      await pipeline.close();
    });

    test('no broker is listening: reported, and reached when one does', async () => {
      const cluster = await FakeCluster.start(TWO);
      await cluster.close();
      const pipeline = await Pipeline.start(cluster, { ready: false });
      await until(() => pipeline.facts.includes('unreachable'), { what: 'the first failure' });
      assert(!pipeline.facts.includes('known'));
      for (const broker of cluster.brokers) await broker.start();
      await pipeline.known();
      await pipeline.exchange(0, 'a');
      assert.equal(pipeline.fates.get('a'), 'stored');
      await pipeline.close();
    });
  });

  describe('a cluster that changes', { concurrency: true, timeout: TIMEOUT_MS }, () => {
    test('a broker fails and restarts: stored once, the neighbor continues', async () => {
      const cluster = await FakeCluster.start(TWO);
      const pipeline = await Pipeline.start(cluster);
      await pipeline.exchange(0, 'before');
      await cluster.broker(1).stop();
      pipeline.send(0, 'a');
      pipeline.send(1, 'neighbour');
      await until(() => pipeline.fates.get('neighbour'), { what: 'the neighbour' });
      await sleep(300);
      assert.equal(pipeline.fates.get('a'), undefined);
      await cluster.broker(1).start();
      await pipeline.settled();
      assert.deepEqual(cluster.partition(TOPIC, 0).values, ['before', 'a']);
      await pipeline.close();
    });

    test('a former leader answers NOT_LEADER_OR_FOLLOWER: the new one gets the same bytes', async () => {
      const cluster = await FakeCluster.start(TWO);
      const pipeline = await Pipeline.start(cluster);
      await pipeline.exchange(0, 'before');
      cluster.partition(TOPIC, 0).leader = 2;
      await pipeline.exchange(0, 'a');
      const attempts = cluster.attempts.filter(({ partition }) => partition === 0).slice(1);
      assert.equal(attempts[0]!.broker, 1);
      assert.equal(attempts.at(-1)!.broker, 2);
      for (const { bytes } of attempts) assert.deepEqual(bytes, attempts[0]!.bytes);
      assert.deepEqual(Object.keys(pipeline.errors), ['unknown']);
      assert.deepEqual(cluster.partition(TOPIC, 0).values, ['before', 'a']);
      await pipeline.close();
    });

    test('a partition without a leader does not block others', async () => {
      const cluster = await FakeCluster.start(TWO);
      cluster.partition(TOPIC, 0).leader = -1;
      const pipeline = await Pipeline.start(cluster);
      pipeline.send(0, 'a');
      pipeline.send(1, 'neighbour');
      await until(() => pipeline.fates.get('neighbour'), { what: 'the neighbour' });
      assert.equal(pipeline.fates.get('a'), undefined);
      cluster.partition(TOPIC, 0).leader = 2;
      await pipeline.settled();
      assert.equal(pipeline.fates.get('a'), 'stored');
      await pipeline.close();
    });
  });

  describe('SASL', { concurrency: true, timeout: TIMEOUT_MS }, () => {
    const refusals: readonly [Target['request'], number][] = [
      ['SaslHandshake', 33],
      ['SaslHandshake', 34],
      ['SaslAuthenticate', 34],
      ['SaslAuthenticate', 58],
    ];
    for (const [request, code] of refusals) {
      test(`${request} answers ${code} before anything worked: configuration`, async () => {
        const cluster = await FakeCluster.start({ ...TWO, sasl: LOGIN });
        const injected = cluster.inject({ request }, { code });
        const pipeline = await Pipeline.start(cluster, { login: LOGIN, ready: false });
        await until(() => pipeline.facts.length > 0, { what: 'what it says' });
        assert.equal(injected.consumed, 1);
        assert.equal(pipeline.facts[0], 'authentication failed');
        await pipeline.close();
      });

      test(`${request} answers ${code} after something worked: retried`, async () => {
        const cluster = await FakeCluster.start({ ...TWO, sasl: LOGIN });
        const pipeline = await Pipeline.start(cluster, { login: LOGIN });
        await pipeline.exchange(0, 'before');
        await cluster.close();
        const injected = cluster.inject({ request, times: 4 }, { code });
        for (const broker of cluster.brokers) await broker.start();
        await pipeline.exchange(0, 'a');
        await until(() => injected.spent, { what: 'rejected authentications' });
        assert(!pipeline.facts.includes('authentication failed'), 'it does not give up');
        assert.deepEqual(cluster.partition(TOPIC, 0).values, ['before', 'a']);
        await pipeline.close();
      });
    }

    test('a wrong password, by the broker’s own check', async () => {
      const cluster = await FakeCluster.start({ ...TWO, sasl: LOGIN });
      const login = { ...LOGIN, password: 'wrong' };
      const pipeline = await Pipeline.start(cluster, { login, ready: false });
      await until(() => pipeline.facts.length > 0, { what: 'what it says' });
      assert.equal(pipeline.facts[0], 'authentication failed');
      await pipeline.close();
    });

    test('a connection lost during authentication is not a configuration error', async () => {
      const cluster = await FakeCluster.start({ ...TWO, sasl: LOGIN });
      const injected = (['close', 'reset', 'half, then close'] as const).flatMap((wire) => [
        cluster.inject({ request: 'SaslHandshake' }, { wire }),
        cluster.inject({ request: 'SaslAuthenticate' }, { wire }),
      ]);
      const pipeline = await Pipeline.start(cluster, { login: LOGIN });
      await pipeline.exchange(0, 'a');
      assert(injected.every(({ consumed }) => consumed === 1));
      assert(!pipeline.facts.includes('authentication failed'));
      await pipeline.close();
    });

    test('an expiring session is reauthenticated on the connection', async () => {
      // Long enough for a busy machine: a request just before the end would arrive after it.
      const lifetimeMs = 600;
      const sasl = { ...LOGIN, lifetimeMs };
      const cluster = await FakeCluster.start({ ...TWO, sasl });
      const pipeline = await Pipeline.start(cluster, { login: LOGIN });
      for (let round = 0; round < 4; round++) {
        await pipeline.exchange(0, `${round}`);
        await sleep(lifetimeMs + 50);
      }
      assert.deepEqual(pipeline.errors, {});
      assert.deepEqual(cluster.partition(TOPIC, 0).values, ['0', '1', '2', '3']);
      const connections = cluster.brokers.reduce((sum, broker) => sum + broker.connections, 0);
      const logins = cluster.count('SaslAuthenticate');
      assert(logins >= connections + 3, `${logins} logins on ${connections} connections`);
      await pipeline.close();
    });
  });
});
