/** Ability to store events, and the reports about it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../src/config/limits.ts';
import type { Leader, Partition, Topic } from '../../../src/worker/accumulator/topic.ts';
import type { Broker } from '../../../src/worker/producer/broker.ts';
import { outcomeOf } from '../../../src/worker/producer/error-table.ts';
import { Health } from '../../../src/worker/producer/health.ts';
import { LinkError } from '../../../src/worker/producer/link.ts';
import { batchOfValues, topicOf } from '../../../testing/batches.ts';
import { recordFaults } from '../faults.ts';

const BOOTSTRAP = { host: 'kafka', port: 9092 };
const ADVERTISED = { host: 'kafka-2.invalid', port: 9092 };
const notFound = new LinkError('connection', 'getaddrinfo ENOTFOUND kafka-2.invalid');
const wrongPassword = new LinkError('configuration', 'invalid credentials');
const { totalMs } = LIMITS.outage;

/** Returns a topic whose lanes may be sent. */
function usable(partitions: number, name = 'events'): Topic {
  const topic = topicOf(partitions, name);
  for (const { lane } of topic.partitions) lane.setProducerId(1n, 0);
  return topic;
}

function rig(...topics: Topic[]) {
  const reported: string[] = [];
  const { faults, lines } = recordFaults();
  const listener = {
    reached: () => reported.push('reached'),
    topicMissing: () => reported.push('missing'),
    topicRecreated: () => reported.push('recreated'),
    unreachable: (why: string) => reported.push(why),
    refusedByPolicy: (refused: boolean) => reported.push(refused ? 'refused' : 'allowed'),
    authenticationFailed: (message: string) => reported.push(`authentication failed: ${message}`),
  };
  return { health: new Health(topics, listener, faults, [BOOTSTRAP]), reported, lines };
}

/** The part of a broker that is read; tests modify it. */
function broker(id: number, partitions: readonly Partition[], connected = false) {
  const address = id === 1 ? BOOTSTRAP : ADVERTISED;
  const leader = { id, address, partitions, connected, sentAtMs: 0, mutedUntilMs: 0 };
  for (const partition of partitions) partition.setLeader(leader satisfies Leader, 0);
  return leader;
}
type Stub = ReturnType<typeof broker>;
const map = (...stubs: Stub[]) =>
  new Map(stubs.map((stub) => [stub.id, stub as unknown as Broker]));
const asBroker = (stub: Stub) => stub as unknown as Broker;

test('Kafka is reached with the first connection to a leader, whatever other brokers do', () => {
  const topic = usable(2);
  const { health, reported } = rig(topic);
  const [first, second, idle] = [
    broker(1, topic.partitions.slice(0, 1)),
    broker(2, topic.partitions.slice(1)),
    broker(3, [], true),
  ];
  health.topicKnown(topic, true);
  health.leadersChanged(map(first, second, idle), 1);
  assert.deepEqual(reported, ['no leader of the topic is connected yet'], 'broker 3 leads nothing');
  health.connectionFailed(second.address, notFound, asBroker(second));
  first.connected = true;
  health.leadersChanged(map(first, second, idle), 2);
  health.leadersChanged(map(first, second, idle), 3);
  health.connectionFailed(second.address, notFound, asBroker(second));
  assert.deepEqual(reported.slice(1), [
    'no leader of the topic is connected: Kafka cannot be reached: ' +
      'the host name cannot be resolved (see the broker’s advertised.listeners)',
    'reached',
  ]);
});

test('an unreachable broker is a warning with its address, once', () => {
  const topic = topicOf(1);
  const { health, lines } = rig(topic);
  health.topicKnown(topic, true);
  const second = broker(2, topic.partitions);
  for (let i = 0; i < 5; i++) {
    health.connectionFailed(second.address, notFound, asBroker(second));
    health.connectionFailed(second.address, notFound);
  }
  assert.deepEqual(lines, [
    {
      level: 'warn',
      message: 'broker connection failed',
      held: 0,
      address: 'kafka-2.invalid:9092',
      broker: 2,
      why: 'connection',
      error: 'getaddrinfo ENOTFOUND kafka-2.invalid',
      hint: 'Kafka cannot be reached: the host name cannot be resolved',
    },
  ]);
});

test('a leader at an address of KAFKA_BROKERS is reported without advertised.listeners', () => {
  const topic = topicOf(1);
  const { health, reported } = rig(topic);
  health.topicKnown(topic, true);
  const first = broker(1, topic.partitions);
  health.connectionFailed(first.address, new LinkError('guard', 'guard'), asBroker(first));
  assert.equal(reported.at(-1), 'no leader of the topic is connected: Kafka does not answer');
});

test('rejected credentials end a worker before anything worked, and are an alarm afterwards', () => {
  const topic = topicOf(1);
  const { health, reported, lines } = rig(topic);
  health.connectionFailed(BOOTSTRAP, wrongPassword);
  assert.deepEqual([reported, lines], [['authentication failed: invalid credentials'], []]);
  health.topicKnown(topic, true);
  const second = broker(2, topic.partitions);
  health.connectionFailed(second.address, wrongPassword, asBroker(second));
  assert.match(reported.at(-1)!, /^no leader .* connected: Kafka authentication failed \(see/);
  assert.deepEqual(
    lines.map(({ level, message, address }) => [level, message, address]),
    [['error', 'Kafka authentication failed', 'kafka-2.invalid:9092']],
  );
});

test('unreachable only while no leader is connected or the topic is missing', () => {
  const topic = usable(1);
  const { health } = rig(topic);
  const first = broker(1, topic.partitions, true);
  const unreachableMsAt = (nowMs: number) => {
    health.leadersChanged(map(first), nowMs);
    return health.delivery(nowMs).unreachableMs;
  };
  health.topicKnown(topic, true);
  assert.equal(unreachableMsAt(1_000), 0);
  first.connected = false;
  assert.equal(unreachableMsAt(2_000), 0);
  assert.equal(unreachableMsAt(5_000), 3_000);
  first.connected = true;
  assert.equal(unreachableMsAt(6_000), 0);
  topic.state = 'missing';
  health.topicMissing(topic);
  unreachableMsAt(7_000);
  assert.equal(unreachableMsAt(9_000), 2_000);
  topic.state = 'known';
  health.topicKnown(topic, true);
  assert.equal(unreachableMsAt(10_000), 0);
});

test('a partition is stuck while events wait without progress, unless its broker throttles', () => {
  const topic = usable(2);
  const { health } = rig(topic);
  const [, other] = topic.partitions as [Partition, Partition];
  const { lane, queue } = other;
  const leader = broker(1, topic.partitions, true);
  health.topicKnown(topic, true);
  health.leadersChanged(map(leader), 1);
  const delivery = (nowMs: number) => {
    const { stuckMs, stuckPartitions, partitions } = health.delivery(nowMs);
    return [stuckMs, stuckPartitions, partitions];
  };
  assert.deepEqual(delivery(1_000_000), [0, 0, 2], 'nothing waits');
  const batch = batchOfValues(['a']);
  batch.openedAtMs = 10_000;
  queue.begin(batch);
  assert.deepEqual(delivery(10_000 + totalMs - 1), [totalMs - 1, 0, 2], 'in its queue');
  assert.deepEqual(delivery(10_000 + totalMs), [totalMs, 1, 2]);
  leader.mutedUntilMs = 12_000;
  assert.deepEqual(delivery(13_000), [1_000, 0, 2], 'since the end of the throttle time');
  leader.mutedUntilMs = 0;
  lane.start(queue.take()!);
  lane.send(13_000);
  const retried = lane.settle(outcomeOf(19), 14_000, 0);
  health.settled(other, outcomeOf(19), retried, 14_000);
  assert.deepEqual(delivery(15_000), [5_000, 1, 2], 'a retry is no progress');
  const { reason } = health.delivery(15_000);
  assert.equal(reason, 'Kafka answers NOT_ENOUGH_REPLICAS');
  lane.send(15_000);
  health.settled(other, outcomeOf(0), lane.settle(outcomeOf(0), 16_000, 0), 16_000);
  const later = batchOfValues(['b']);
  later.openedAtMs = 10_500;
  queue.begin(later);
  assert.deepEqual(delivery(17_000), [1_000, 0, 2], 'the next batch has made progress');
});

test('each of several topics has its own state, and its name in the reasons', () => {
  const [good, missing] = [usable(2, 'good'), usable(0, 'missing')];
  const { health, reported } = rig(good, missing);
  const leader = broker(1, good.partitions, true);
  good.state = 'known';
  health.topicKnown(good, true);
  missing.state = 'missing';
  health.topicMissing(missing);
  health.leadersChanged(map(leader), 1_000);
  assert.equal(reported.at(-2), 'missing: the topic does not exist');
  assert(!reported.includes('reached'), 'not all of them');
  assert.equal(health.delivery(9_000).unreachableMs, 0, 'events of one can be stored');
  leader.connected = false;
  health.leadersChanged(map(leader), 9_000);
  assert.equal(health.delivery(10_000).unreachableMs, 1_000);
  leader.connected = true;
  missing.resize(1);
  missing.state = 'known';
  health.topicKnown(missing, true);
  missing.partitions[0]!.setLeader(leader, 10_000);
  missing.partitions[0]!.lane.setProducerId(1n, 0);
  health.leadersChanged(map(leader), 10_000);
  assert.equal(reported.at(-1), 'reached');
});

test('partitions without a leader are reported after a while, until they have one', () => {
  const topic = usable(3);
  const { health, lines } = rig(topic);
  const leader = broker(1, topic.partitions, true);
  for (const partition of topic.partitions.slice(1)) partition.setLeader(undefined, 1_000);
  const { leaderlessMs } = LIMITS;
  assert.equal(health.leaderless(1_000 + leaderlessMs - 1), 0);
  topic.partitions[1]!.setLeader(undefined, 5_000);
  assert.equal(health.leaderless(1_000 + leaderlessMs), 2, 'since the first time');
  assert.deepEqual(lines, [
    {
      level: 'warn',
      message: 'partitions have no leader',
      held: 0,
      topic: 'events',
      partitions: 2,
      numbers: [1, 2],
    },
  ]);
  for (const partition of topic.partitions) partition.setLeader(leader, 6_000);
  assert.equal(health.leaderless(2 * leaderlessMs), 0);
});

test('a recreated topic is no longer rejected by policy', () => {
  const topic = usable(1);
  const { health, reported } = rig(topic);
  const [partition] = topic.partitions as [Partition];
  const { lane } = partition;
  lane.start(batchOfValues(['a']));
  lane.send(1);
  health.settled(partition, outcomeOf(29), lane.settle(outcomeOf(29), 2, 0), 2);
  assert.deepEqual(reported, ['refused']);
  health.topicRecreated(topic, topic.resize(0));
  assert.deepEqual(reported, ['refused', 'allowed', 'recreated']);
});
