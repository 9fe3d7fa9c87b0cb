/** When events can be stored, and what is said while they cannot. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../src/config/limits.ts';
import { PartitionQueue } from '../../../src/worker/accumulator/queue.ts';
import type { Broker } from '../../../src/worker/producer/broker.ts';
import { outcomeOf } from '../../../src/worker/producer/error-table.ts';
import { Health } from '../../../src/worker/producer/health.ts';
import { Lane } from '../../../src/worker/producer/lane.ts';
import { LinkError } from '../../../src/worker/producer/link.ts';
import { batchOfValues } from '../../../testing/batches.ts';
import { recordFaults } from '../faults.ts';

const BOOTSTRAP = { host: 'kafka', port: 9092 };
const ADVERTISED = { host: 'kafka-2.invalid', port: 9092 };
const notFound = new LinkError('connection', 'getaddrinfo ENOTFOUND kafka-2.invalid');
const wrongPassword = new LinkError('configuration', 'invalid credentials');
const { totalMs } = LIMITS.outage;

/** A lane that may be sent. */
function usable(partition: number): Lane {
  const lane = new Lane(partition);
  lane.setProducerId(1n, 0);
  return lane;
}

function rig() {
  const told: string[] = [];
  const { faults, lines } = recordFaults();
  const listener = {
    reached: () => told.push('reached'),
    topicMissing: () => told.push('missing'),
    unreachable: (why: string) => told.push(why),
    refusedByPolicy: (refused: boolean) => told.push(refused ? 'refused' : 'allowed'),
    loginRefused: (message: string) => told.push(`login refused: ${message}`),
  };
  return { health: new Health(listener, faults, [BOOTSTRAP]), told, lines };
}

/** A broker by what is looked at; a test changes it. */
function broker(id: number, lanes: readonly Lane[], connected = false) {
  const address = id === 1 ? BOOTSTRAP : ADVERTISED;
  return { id, address, lanes, connected, mutedUntilMs: 0 };
}
type Stub = ReturnType<typeof broker>;
const map = (...stubs: Stub[]) =>
  new Map(stubs.map((stub) => [stub.id, stub as unknown as Broker]));
const asBroker = (stub: Stub) => stub as unknown as Broker;

test('Kafka is reached with the first connection to a leader, whatever other brokers do', () => {
  const { health, told } = rig();
  const [first, second, idle] = [
    broker(1, [usable(0)]),
    broker(2, [usable(1)]),
    broker(3, [], true),
  ];
  health.topicKnown(true);
  health.lookAtLeaders(map(first, second, idle), 1);
  assert.deepEqual(told, ['no leader of the topic is connected yet'], 'broker 3 leads nothing');
  health.connectionFailed(second.address, notFound, asBroker(second));
  first.connected = true;
  health.lookAtLeaders(map(first, second, idle), 2);
  health.lookAtLeaders(map(first, second, idle), 3);
  health.connectionFailed(second.address, notFound, asBroker(second));
  assert.deepEqual(told.slice(1), [
    'no leader of the topic is connected: Kafka cannot be reached: ' +
      'the host name cannot be resolved (see the broker’s advertised.listeners)',
    'reached',
  ]);
});

test('a broker that cannot be connected to is a warning with its address, once', () => {
  const { health, lines } = rig();
  health.topicKnown(true);
  const second = broker(2, [new Lane(0)]);
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

test('a leader at an address of KAFKA_BROKERS: no word of advertised.listeners', () => {
  const { health, told } = rig();
  health.topicKnown(true);
  const first = broker(1, [new Lane(0)]);
  health.connectionFailed(first.address, new LinkError('guard', 'guard'), asBroker(first));
  assert.equal(told.at(-1), 'no leader of the topic is connected: Kafka does not answer');
});

test('refused credentials end a worker before anything worked, and are an alarm afterwards', () => {
  const { health, told, lines } = rig();
  health.connectionFailed(BOOTSTRAP, wrongPassword);
  assert.deepEqual([told, lines], [['login refused: invalid credentials'], []]);
  health.topicKnown(true);
  const second = broker(2, [new Lane(0)]);
  health.connectionFailed(second.address, wrongPassword, asBroker(second));
  assert.match(told.at(-1)!, /^no leader .* connected: the brokers refuse our credentials \(see/);
  assert.deepEqual(
    lines.map(({ level, message, address }) => [level, message, address]),
    [['error', 'the brokers refuse our credentials', 'kafka-2.invalid:9092']],
  );
});

test('unreachable since no leader is connected or the topic is missing, and no longer than that', () => {
  const { health } = rig();
  const first = broker(1, [usable(0)], true);
  const look = (nowMs: number) => {
    health.lookAtLeaders(map(first), nowMs);
    return health.delivery([], [], () => undefined, nowMs).unreachableMs;
  };
  health.topicKnown(true);
  assert.equal(look(1_000), 0);
  first.connected = false;
  assert.equal(look(2_000), 0);
  assert.equal(look(5_000), 3_000);
  first.connected = true;
  assert.equal(look(6_000), 0);
  health.topicIsMissing();
  look(7_000);
  assert.equal(look(9_000), 2_000);
  health.topicKnown(true);
  assert.equal(look(10_000), 0);
});

test('a partition is stuck while something waits and nothing moves, unless its broker wants a pause', () => {
  const { health } = rig();
  const [lane, other] = [usable(0), usable(1)];
  const queues = [new PartitionQueue(0), new PartitionQueue(1)];
  const leader = broker(1, [lane, other], true);
  health.topicKnown(true);
  health.lookAtLeaders(map(leader), 1);
  const delivery = (nowMs: number) => {
    const of = () => asBroker(leader);
    const { stuckMs, stuckPartitions, partitions } = health.delivery(
      [lane, other],
      queues,
      of,
      nowMs,
    );
    return [stuckMs, stuckPartitions, partitions];
  };
  assert.deepEqual(delivery(1_000_000), [0, 0, 2], 'nothing waits');
  const batch = batchOfValues(['a']);
  batch.openedAtMs = 10_000;
  queues[1]!.begin(batch);
  assert.deepEqual(delivery(10_000 + totalMs - 1), [totalMs - 1, 0, 2], 'in its queue');
  assert.deepEqual(delivery(10_000 + totalMs), [totalMs, 1, 2]);
  leader.mutedUntilMs = 12_000;
  assert.deepEqual(delivery(13_000), [1_000, 0, 2], 'since the end of the pause');
  leader.mutedUntilMs = 0;
  other.start(queues[1]!.take()!);
  other.send(13_000);
  const retried = other.settle(outcomeOf(19), 14_000, 0);
  health.settled(other, outcomeOf(19), retried, 14_000);
  assert.deepEqual(delivery(15_000), [5_000, 1, 2], 'a retry is no progress');
  const { reason } = health.delivery([lane, other], queues, () => asBroker(leader), 15_000);
  assert.equal(reason, 'Kafka answers NOT_ENOUGH_REPLICAS');
  other.send(15_000);
  health.settled(other, outcomeOf(0), other.settle(outcomeOf(0), 16_000, 0), 16_000);
  const later = batchOfValues(['b']);
  later.openedAtMs = 10_500;
  queues[1]!.begin(later);
  assert.deepEqual(delivery(17_000), [1_000, 0, 2], 'what waited behind it has moved on');
});
