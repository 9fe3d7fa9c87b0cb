import assert from 'node:assert/strict';
import { Agent, type IncomingMessage, request } from 'node:http';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type KafkaCluster, startCluster } from '../../../deploy/kafka/cluster.ts';
import { isFree } from '../../../deploy/kafka/ports.ts';
import { LIMITS } from '../../../src/config/limits.ts';
import { SETTINGS } from '../../../src/config/settings.ts';
import type { AcknowledgedClient } from '../../../testing/client.ts';
import { good } from '../../../testing/events.ts';
import { type Gateway, startGateway } from '../../../testing/gateway.ts';
import { uniqueTopic } from '../../../testing/kafka.ts';
import { describeReconciliation, Ledger } from '../../../testing/ledger.ts';
import { acknowledgedClients, Load, recordsOf, violationsOf } from '../../../testing/load.ts';
import { PlainClient } from '../../../testing/plain-client.ts';
import { until } from '../../../testing/wait.ts';
import { logged, untilGone, untilLogged, untilStored } from '../../../testing/watch.ts';
import { RawClient } from '../../support/raw-client.ts';

let kafka: KafkaCluster;
before(async () => {
  // A paused node stays the leader: stalled, not dead.
  kafka = await startCluster({ overrides: { 'broker.session.timeout.ms': '9000' } });
});
after(() => kafka?.close());

const DRAIN_TIMEOUT_MS = Number(SETTINGS.drainTimeoutMs.defaultValue());
const RESTART = { code: 1012, reason: 'restart' };

/** Starts a gateway of two workers under load of clients that do not reconnect. */
async function underLoad(
  t: TestContext,
  env: Record<string, string> = {},
  { eventsPerFrame = 3 } = {},
) {
  const topic = uniqueTopic();
  const settings = { FOREBAY_WORKERS: '2', ...env };
  const gateway = await startGateway({ brokers: kafka.brokers, topic, env: settings });
  t.after(() => gateway.kill());
  const ledger = new Ledger();
  const clients = await acknowledgedClients(t, 10, { url: gateway.wsUrl, ledger });
  const load = new Load(t, clients, { eventsPerSecond: 1_500, eventsPerFrame, prefix: 'a-' });
  await untilStored(gateway, 500);
  return { topic, gateway, ledger, clients, load, workers: gateway.workers() };
}

async function untilClosed(clients: readonly AcknowledgedClient[]): Promise<void> {
  await until(() => clients.every(({ closes }) => closes.length > 0), { what: 'all closes' });
  for (const { closes } of clients) assert.deepEqual(closes, [RESTART]);
}

/** Sends one event over HTTP. */
function posted(gateway: Gateway, agent: Agent): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request(`${gateway.httpUrl}/events`, { method: 'POST', agent });
    asked.on('response', (response) => response.resume().on('end', () => resolve(response)));
    asked.on('error', reject).end(good('http'));
  });
}

/** Asserts that no process and no port of the instance is left. */
async function checkGone(gateway: Gateway, workers: readonly number[]): Promise<void> {
  await untilGone([gateway.pid, ...workers]);
  // A process is a zombie shortly before its last thread closes its sockets.
  for (const port of [gateway.port, gateway.adminPort]) {
    await until(() => isFree(port), { what: `port ${port} to be free` });
  }
  assert.deepEqual(gateway.errors, []);
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} under load: everything is settled, every socket gets 1012, exit code 0`, async (t) => {
    const { topic, gateway, ledger, clients, load, workers } = await underLoad(t);
    const plain = await new PlainClient({ url: gateway.wsUrl }).open();
    assert.equal(workers.length, 2);
    const startMs = performance.now();
    gateway.signal(signal);
    const exit = await gateway.exit;
    t.diagnostic(`ended after ${Math.round(performance.now() - startMs)} ms`);
    await load.stop();
    assert.deepEqual(exit, { code: 0, signal: null }, gateway.logTail());
    await untilClosed(clients);
    assert.deepEqual(await plain.closed, RESTART);
    await checkGone(gateway, workers);
    const verdict = ledger.reconcile(await recordsOf({ brokers: kafka.brokers, topic }));
    assert(verdict.clean, describeReconciliation(verdict).join('\n'));
    assert(verdict.acknowledged >= 500);
    // Stored events were acknowledged before the socket closed.
    assert.equal(verdict.unacknowledgedStored, 0);
    assert.deepEqual(violationsOf(clients), []);
    for (const { goaway } of clients) {
      assert.equal(goaway?.reason, 'restart');
      assert(goaway.reconnectMs >= 0 && goaway.reconnectMs <= 5_000, `${goaway.reconnectMs}`);
    }
    assert(new Set(clients.map(({ goaway }) => goaway?.reconnectMs)).size > 1, 'spread');
    assert.equal(logged(gateway, 'drain ended')[0]?.left, 0);
  });
}

test('drain timeout with Kafka stalled: exit code 1, a line with the number of events left', async (t) => {
  const drainMs = 2_000;
  // One partition, one event per frame: settled frames are acknowledged, none waits for another.
  const env = { FOREBAY_DRAIN_TIMEOUT_MS: String(drainMs), KAFKA_TOPIC_PARTITIONS: '1' };
  const one = { eventsPerFrame: 1 };
  const { topic, gateway, ledger, clients, load, workers } = await underLoad(t, env, one);
  kafka.pause(0);
  let ms = 0;
  try {
    await until(() => clients.every(({ outstanding }) => outstanding > 2));
    const startMs = performance.now();
    gateway.signal('SIGTERM');
    await untilLogged(gateway, 'drain started');
    // Otherwise frames in flight at the end of the sockets would have no reply either.
    await load.stop();
    const exit = await gateway.exit;
    ms = performance.now() - startMs;
    assert.deepEqual(exit, { code: 1, signal: null }, gateway.logTail());
  } finally {
    kafka.resume(0);
  }
  assert(ms >= drainMs - 50 && ms < drainMs + 8_000, `took ${ms} ms`);
  await untilClosed(clients);
  await checkGone(gateway, workers);
  const [ended] = logged(gateway, 'drain ended');
  assert(Number(ended?.left) > 0, gateway.logTail());
  const verdict = ledger.reconcile(await recordsOf({ brokers: kafka.brokers, topic }));
  assert(verdict.clean, describeReconciliation(verdict).join('\n'));
  const open = verdict.sent - verdict.acknowledged - verdict.refused;
  assert.equal(ended?.left, open, 'the count equals the unanswered events of the clients');
});

test('after goaway: frames are accepted during the grace period, then rejected with draining', async (t) => {
  const topic = uniqueTopic();
  const gateway = await startGateway({ brokers: kafka.brokers, topic });
  t.after(() => gateway.kill());
  // It answers no ping: its goaway may be in flight.
  const client = await RawClient.open(gateway.httpUrl);
  client.send(good('before'));
  await client.received('{"ack":1}');
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  assert.equal((await posted(gateway, agent)).statusCode, 200);
  kafka.pause(0);
  try {
    gateway.signal('SIGTERM');
    await client.received('{"goaway":');
    client.send(good('after'));
    // It is not settled: the connection outlives the grace period.
    await sleep(LIMITS.goawayGraceMs + 200);
    client.send(good('late'));
    await client.received('{"nack":3,"errors":[{"code":"draining","retry":true');
    const { statusCode, headers } = await posted(gateway, agent);
    assert.deepEqual([statusCode, headers.connection], [503, 'close']);
  } finally {
    kafka.resume(0);
  }
  await client.received('{"ack":3}');
  assert.deepEqual(await client.closed, RESTART);
  assert.deepEqual(await gateway.exit, { code: 0, signal: null });
  const records = await recordsOf({ brokers: kafka.brokers, topic });
  assert.deepEqual(records.map(({ value }) => JSON.parse(String(value)).id).sort(), [
    'after',
    'before',
    'http',
  ]);
});

test('a second signal ends it at once with exit code 1', async (t) => {
  const { gateway, clients, load, workers } = await underLoad(t);
  kafka.pause(0);
  try {
    await until(() => clients.every(({ outstanding }) => outstanding > 2));
    // The count is that of the last snapshot.
    const inFlight = async () => (await gateway.metrics()).value('forebay_events_in_flight');
    await until(async () => (await inFlight()) > 0, { what: 'events in flight' });
    gateway.signal('SIGTERM');
    await untilLogged(gateway, 'drain started');
    assert.equal(gateway.exited, undefined);
    const startMs = performance.now();
    gateway.signal('SIGTERM');
    assert.deepEqual(await gateway.exit, { code: 1, signal: null });
    assert(performance.now() - startMs < DRAIN_TIMEOUT_MS / 2, 'it does not wait for the drain');
  } finally {
    kafka.resume(0);
  }
  await load.stop();
  await checkGone(gateway, workers);
  assert(Number(logged(gateway, 'second signal received, exiting immediately')[0]?.left) > 0);
});

test('a primary killed with SIGKILL leaves no worker and no open port', async (t) => {
  const { topic, gateway, ledger, load, workers } = await underLoad(t);
  assert.equal(workers.length, 2);
  gateway.signal('SIGKILL');
  assert.equal((await gateway.exit).signal, 'SIGKILL');
  await untilGone(workers);
  await load.stop();
  await checkGone(gateway, workers);
  const verdict = ledger.reconcile(await recordsOf({ brokers: kafka.brokers, topic }));
  assert(verdict.clean, describeReconciliation(verdict).join('\n'));
});
