import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { LIMITS } from '../../src/config/limits.ts';
import { startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { describeReconciliation, Ledger } from '../../testing/ledger.ts';
import {
  acknowledgedClients,
  allSettled,
  closeAll,
  Load,
  recordsOf,
  violationsOf,
} from '../../testing/load.ts';
import { PlainClient } from '../../testing/plain-client.ts';
import { until } from '../../testing/wait.ts';

const { brokers } = await sharedKafka();

test('FOREBAY_MAX_CONNECTION_AGE_MS: goaway, all acknowledged, Close 1012, then a new connection', async (t) => {
  const maxMs = 1_000;
  const topic = uniqueTopic();
  const env = { FOREBAY_MAX_CONNECTION_AGE_MS: String(maxMs) };
  const gateway = await startGateway({ brokers, topic, env });
  t.after(() => gateway.kill());
  const ledger = new Ledger();
  const options = { url: gateway.wsUrl, ledger, reconnect: true };
  const openedMs = performance.now();
  const clients = await acknowledgedClients(t, 10, options);
  const plain = await new PlainClient({ url: gateway.wsUrl }).open();
  const load = new Load(t, clients, { eventsPerSecond: 1_000, eventsPerFrame: 2, prefix: 'a-' });
  const closed = { code: 1012, reason: 'age' };
  await until(() => plain.socket.readyState === WebSocket.CLOSED, {
    what: 'the plain client’s end',
  });
  assert.deepEqual(await plain.closed, closed);
  const ageMs = performance.now() - openedMs;
  const [least, most] = [maxMs * (1 - LIMITS.ageJitter), maxMs * (1 + LIMITS.ageJitter)];
  assert(ageMs >= least && ageMs < most + 10_000, `${ageMs} ms`);
  await until(() => clients.every(({ connections }) => connections > 1));
  await load.stop();
  await allSettled(clients);
  for (const { closes } of clients) for (const close of closes) assert.deepEqual(close, closed);
  await closeAll(clients);
  const verdict = ledger.reconcile(await recordsOf({ brokers, topic }));
  assert(verdict.clean, describeReconciliation(verdict).join('\n'));
  assert.equal(verdict.unacknowledgedStored, 0);
  assert.deepEqual(violationsOf(clients), []);
  const aged = () => clients.reduce((sum, { connections }) => sum + connections - 1, 1);
  await until(async () => {
    const metrics = await gateway.metrics();
    return metrics.value('forebay_connections_closed_total', { reason: 'age' }) >= aged();
  });
  assert.equal((await gateway.stop()).code, 0);
});
