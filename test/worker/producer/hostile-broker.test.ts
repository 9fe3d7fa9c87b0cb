/**
 * Brokers that answer wrongly, late, by half or not at all, and brokers that are not there: the
 * process lives, what was stored is stored once, and whoever is healthy is not disturbed.
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProduceErrorClass } from '../../../src/metrics/catalogue.ts';
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

/** How a response may go wrong, and what the attempt counts as. */
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

/** One produce request of broker 1 meets `fault`; broker 2 is sent to all the time. */
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
  if (errors.request_timeout) assert(!pipeline.fates.has('a'), 'the neighbour did not wait');
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

/** What else can be asked for until the first event is stored. */
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
      test(`without the partition, ${append ? 'appended' : 'not appended'}: is no answer`, () =>
        oneProduce({ omit: true, append }, { missing_partition: 1 }));
    }

    test('twice: the second is not taken for the next request’s', () =>
      oneProduce({ wire: 'twice', append: true }, {}));

    test('slow, but in time: is awaited', () => oneProduce({ delayMs: 900, append: true }, {}));

    test('that never comes, again and again: stored once in the end', async () => {
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

    test('with a throttle longer than the guard: a quota is not a fault', async () => {
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
      assert(second!.atMs - first!.atMs >= 2_490, 'the broker was left alone');
      await pipeline.close();
    });
  });

  describe('at the start', { concurrency: true, timeout: TIMEOUT_MS }, () => {
    for (const request of BEFORE) {
      for (const wire of [...LOST.map(([each]) => each), 'twice' as const]) {
        test(`${request}, ${titled(wire)}: asked again`, async () => {
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

    test('no coordinator for producer ids yet: asked again', async () => {
      const cluster = await FakeCluster.start(TWO);
      const target = { request: 'InitProducerId', times: 1 } as const;
      const injected = [14, 15, 41, -1].map((code) => cluster.inject(target, { code }));
      const pipeline = await Pipeline.start(cluster);
      await pipeline.exchange(0, 'a');
      assert(injected.every(({ consumed }) => consumed === 1));
      assert.equal(pipeline.fates.get('a'), 'stored');
      await pipeline.close();
    });

    test('a topic that is missing, then refused, then there', async () => {
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

    test('nobody listens: said, and found when somebody does', async () => {
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
    test('a broker is gone and comes back: stored once, the neighbour goes on', async () => {
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

    test('a leader that moved answers NOT_LEADER: the new one gets the same bytes', async () => {
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

    test('a partition without a leader waits alone', async () => {
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
        assert.equal(pipeline.facts[0], 'login refused');
        await pipeline.close();
      });

      test(`${request} answers ${code} after something worked: tried again`, async () => {
        const cluster = await FakeCluster.start({ ...TWO, sasl: LOGIN });
        const pipeline = await Pipeline.start(cluster, { login: LOGIN });
        await pipeline.exchange(0, 'before');
        await cluster.close();
        const injected = cluster.inject({ request, times: 4 }, { code });
        for (const broker of cluster.brokers) await broker.start();
        await pipeline.exchange(0, 'a');
        await until(() => injected.spent, { what: 'refused logins' });
        assert(!pipeline.facts.includes('login refused'), 'it does not give up');
        assert.deepEqual(cluster.partition(TOPIC, 0).values, ['before', 'a']);
        await pipeline.close();
      });
    }

    test('a wrong password, by the broker’s own rule', async () => {
      const cluster = await FakeCluster.start({ ...TWO, sasl: LOGIN });
      const login = { ...LOGIN, password: 'wrong' };
      const pipeline = await Pipeline.start(cluster, { login, ready: false });
      await until(() => pipeline.facts.length > 0, { what: 'what it says' });
      assert.equal(pipeline.facts[0], 'login refused');
      await pipeline.close();
    });

    test('a login that is lost in the middle is no matter of configuration', async () => {
      const cluster = await FakeCluster.start({ ...TWO, sasl: LOGIN });
      const injected = (['close', 'reset', 'half, then close'] as const).flatMap((wire) => [
        cluster.inject({ request: 'SaslHandshake' }, { wire }),
        cluster.inject({ request: 'SaslAuthenticate' }, { wire }),
      ]);
      const pipeline = await Pipeline.start(cluster, { login: LOGIN });
      await pipeline.exchange(0, 'a');
      assert(injected.every(({ consumed }) => consumed === 1));
      assert(!pipeline.facts.includes('login refused'));
      await pipeline.close();
    });

    test('a login that ends is renewed on the connection', async () => {
      const sasl = { ...LOGIN, lifetimeMs: 150 };
      const cluster = await FakeCluster.start({ ...TWO, sasl });
      const pipeline = await Pipeline.start(cluster, { login: LOGIN });
      for (let round = 0; round < 4; round++) {
        await pipeline.exchange(0, `${round}`);
        await sleep(200);
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
