import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRunning } from '../../../testing/child.ts';
import { startGateway } from '../../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../../testing/kafka.ts';
import { describeReconciliation, Ledger } from '../../../testing/ledger.ts';
import {
  acknowledgedClients,
  allSettled,
  closeAll,
  Load,
  recordsOf,
  violationsOf,
} from '../../../testing/load.ts';
import { until } from '../../../testing/wait.ts';
import { atRest, untilLogged, Watch } from '../../../testing/watch.ts';

const TIMEOUT_MS = 2_000;
/** From the kill to ready. */
const READY_MS = 20_000;

const { brokers } = await sharedKafka();

test('a worker that hangs under load is killed and replaced; the other one keeps serving', async (t) => {
  const topic = uniqueTopic();
  const env = { FOREBAY_WORKERS: '2', FOREBAY_WORKER_TIMEOUT_MS: String(TIMEOUT_MS) };
  const gateway = await startGateway({ brokers, topic, env });
  t.after(() => gateway.kill());
  const ledger = new Ledger();
  const options = { url: gateway.wsUrl, ledger, reconnect: true, retryRefused: true };
  const clients = await acknowledgedClients(t, 10, options);
  const load = new Load(t, clients, { eventsPerSecond: 1_000, eventsPerFrame: 2, prefix: 'a-' });
  const watch = new Watch(t, gateway);
  const open = async () => {
    const metrics = await gateway.metrics();
    return ['1', '2'].map((worker) =>
      metrics.value('forebay_connections', { worker, transport: 'ws' }),
    );
  };
  await until(async () => (await open()).every((count) => count > 0));
  const [hung, other] = gateway.workers() as [number, number];
  process.kill(hung, 'SIGSTOP');
  // Its earlier writes have arrived by now.
  await sleep(500);
  const acknowledged = new Map(clients.map((client) => [client, client.acknowledgedEvents]));
  const line = await untilLogged(gateway, 'unresponsive worker killed');
  const killedMs = performance.now();
  assert.equal(line.workerPid, hung);
  // Meanwhile the other worker has served all its clients.
  const served = clients.filter((client) => client.acknowledgedEvents > acknowledged.get(client)!);
  assert(served.length > 0 && served.length < clients.length, `${served.length} were served`);
  await untilLogged(gateway, 'worker died');
  await until(async () => (await fetch(`${gateway.adminUrl}/readyz`)).ok);
  const readyMs = performance.now() - killedMs;
  t.diagnostic(`ready ${Math.round(readyMs)} ms after the kill`);
  assert(readyMs < READY_MS);
  await until(() => clients.every(({ connected }) => connected));
  await load.stop();
  await allSettled(clients);
  for (const { closes } of served) assert.deepEqual(closes, [], 'a neighbour’s connection stays');
  await closeAll(clients);
  const metrics = await atRest(gateway);
  await watch.stop();
  assert(!isRunning(hung) && isRunning(other));
  const verdict = ledger.reconcile(await recordsOf({ brokers, topic }));
  assert(verdict.clean, describeReconciliation(verdict).join('\n'));
  assert.deepEqual(violationsOf(clients), []);
  assert.equal(metrics.value('forebay_worker_restarts_total', { cause: 'hang' }), 1);
  assert.equal(metrics.value('forebay_worker_restarts_total', { cause: 'crash' }), 0);
  assert.deepEqual(watch.decreases(), []);
  assert.deepEqual(watch.unaccounted(), []);
  assert.equal(watch.failed, 0);
  assert.equal((await gateway.stop()).code, 0);
});
