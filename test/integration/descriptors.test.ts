/** File limits below the connection limit. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { connectionBounds } from '../../src/config/fd-limits.ts';
import { AcknowledgedClient } from '../../testing/client.ts';
import { startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { acknowledgedClients, allSettled, closeAll, Load } from '../../testing/load.ts';
import { HandshakeRefused } from '../../testing/socket.ts';
import { freshMetrics } from '../../testing/stage.ts';
import { missingTool } from '../../testing/tools.ts';
import { until } from '../../testing/wait.ts';
import { untilStored } from '../../testing/watch.ts';

const FILES = 128;
const CONNECTIONS = 200;
const skip = missingTool('prlimit');

const { brokers } = await sharedKafka();

/** Starts a gateway with a low file limit, and four clients under load. */
async function start(t: TestContext) {
  const wrapper = ['prlimit', `--nofile=${FILES}`];
  const gateway = await startGateway({ brokers, topic: uniqueTopic(), wrapper });
  t.after(() => gateway.kill());
  const clients = await acknowledgedClients(t, 4, { url: gateway.wsUrl });
  const load = new Load(t, clients, { eventsPerSecond: 200, prefix: 'a-' });
  return { gateway, clients, load };
}

test('WebSockets leave files for brokers: 503 too_many_connections, until one closes', {
  skip,
}, async (t) => {
  const { gateway, clients, load } = await start(t);
  const idle = Array.from({ length: CONNECTIONS }, () => {
    return new AcknowledgedClient({ url: gateway.wsUrl });
  });
  t.after(() => closeAll(idle));
  const refusals: unknown[] = [];
  // One after the other: of many at once, some would be closed before their handshake.
  for (const client of idle) await client.open().catch((error: unknown) => refusals.push(error));
  assert.equal(
    refusals.length,
    CONNECTIONS + clients.length - connectionBounds(CONNECTIONS, FILES).webSockets,
  );
  for (const refusal of refusals) {
    assert(refusal instanceof HandshakeRefused);
    assert.equal(refusal.status, 503);
    assert.equal(JSON.parse(refusal.body).error.code, 'too_many_connections');
  }
  const reason = { reason: 'too_many_connections' };
  const metrics = await freshMetrics(gateway);
  assert.equal(metrics.value('forebay_handshakes_refused_total', reason), refusals.length);
  await closeAll(idle.filter(({ connected }) => connected).slice(0, 1));
  const late = await until(() => new AcknowledgedClient({ url: gateway.wsUrl }).open());
  await load.stop();
  await allSettled(clients);
  await closeAll([...clients, ...idle, late]);
  assert.equal((await gateway.stop()).code, 0);
});

test('silent connections beyond a bound are closed: files are left for brokers', {
  skip,
}, async (t) => {
  const { gateway, clients, load } = await start(t);
  const [worker] = gateway.workers() as [number];
  const silent = Array.from({ length: CONNECTIONS }, () => {
    return connect(gateway.port, '127.0.0.1').on('error', () => {});
  });
  t.after(() => {
    for (const socket of silent) socket.destroy();
  });
  const { all } = connectionBounds(CONNECTIONS, FILES);
  const closed = () => silent.filter(({ destroyed }) => destroyed).length;
  await until(() => closed() >= CONNECTIONS + clients.length - all);
  const reason = { reason: 'too_many_connections' };
  const refused = (await freshMetrics(gateway)).value('forebay_handshakes_refused_total', reason);
  assert.equal(refused, CONNECTIONS + clients.length - all);
  const files = readdirSync(`/proc/${worker}/fd`).length;
  assert(files >= all && files < FILES, `${files} files`);
  for (const socket of silent) socket.destroy();
  const late = await until(() => new AcknowledgedClient({ url: gateway.wsUrl }).open());
  await late.close();
  // Ended WebSockets free their files.
  for (let count = 0; count < FILES; count++) {
    await (await new AcknowledgedClient({ url: gateway.wsUrl }).open()).close();
  }
  await load.stop();
  await allSettled(clients);
  for (const client of clients) assert.deepEqual(client.closes, [], 'no client was disconnected');
  await closeAll(clients);
  assert.equal((await gateway.stop()).code, 0);
});

test('a worker that can open no file keeps running, and reports', { skip }, async (t) => {
  const { gateway, clients, load } = await start(t);
  const [worker] = gateway.workers() as [number];
  await untilStored(gateway, 400);
  execFileSync('prlimit', ['--pid', String(worker), '--nofile=8:8']);
  assert(readdirSync(`/proc/${worker}/fd`).length > 8);
  const stored = async () => (await freshMetrics(gateway)).value('forebay_events_stored_total');
  const before = await stored();
  await until(async () => (await stored()) > before);
  await load.stop();
  await allSettled(clients);
  assert.deepEqual([gateway.workers(), gateway.errors], [[worker], []]);
  await closeAll(clients);
  assert.equal((await gateway.stop()).code, 0);
});
