import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { type KafkaCluster, startCluster } from '../../../deploy/kafka/cluster.ts';
import { isRunning } from '../../../testing/child.ts';
import { type Gateway, startGateway } from '../../../testing/gateway.ts';
import { uniqueTopic } from '../../../testing/kafka.ts';
import { describeReconciliation, Ledger } from '../../../testing/ledger.ts';
import {
  acknowledgedClients,
  allSettled,
  closeAll,
  Load,
  plainSources,
  recordsOf,
  recordsWith,
  violationsOf,
} from '../../../testing/load.ts';
import type { Metrics } from '../../../testing/metrics.ts';
import { until } from '../../../testing/wait.ts';
import { atRest, logged, untilLogged, untilStored, Watch } from '../../../testing/watch.ts';

/** Bound of lost events: those received since the last snapshot, which is sent once a second. */
const SNAPSHOT_SECONDS = 1;
const PER_SECOND = { acknowledged: 1_000, plain: 500 };

let kafka: KafkaCluster;
before(async () => {
  // A paused node stays the leader: stalled, not dead.
  kafka = await startCluster({ overrides: { 'broker.session.timeout.ms': '9000' } });
});
after(() => kafka?.close());

/** Runs two workers under load of acknowledged and plain clients; `fault` kills one of them. */
async function crash(t: TestContext, gateway: Gateway, topic: string, fault: () => Promise<void>) {
  const ledger = new Ledger();
  const url = gateway.wsUrl;
  const options = { url, ledger, reconnect: true, retryRefused: true };
  const clients = await acknowledgedClients(t, 10, options);
  const plain = await plainSources(t, 6, url, ledger);
  const { acknowledged, plain: plainRate } = PER_SECOND;
  const eventsPerFrame = 4;
  const load = new Load(t, clients, {
    eventsPerSecond: acknowledged,
    eventsPerFrame,
    prefix: 'a-',
  });
  const plainLoad = new Load(t, plain, { eventsPerSecond: plainRate, prefix: 'p-' });
  const watch = new Watch(t, gateway);
  await until(async () => openByWorker(await gateway.metrics()).every((count) => count > 0));
  await untilStored(gateway, 1_000);
  await fault();
  await untilLogged(gateway, 'worker died');
  await until(async () => (await workers(gateway, 'ready')) === 2);
  await untilStored(gateway, 1_500);
  await Promise.all([load.stop(), plainLoad.stop()]);
  await allSettled(clients);
  await closeAll([...clients, ...plain]);
  const metrics = await atRest(gateway);
  await watch.stop();
  const records = await recordsOf({ brokers: kafka.brokers, topic });
  const verdict = ledger.reconcile(records);
  const plainMissing = plainLoad.events - recordsWith('p-', records).length;
  // Unanswered sends of acknowledged clients: they were resent as another attempt.
  const unanswered = verdict.sent - plainLoad.events - verdict.acknowledged - verdict.refused;
  const reconnected = [...clients, ...plain].filter(({ connections }) => connections > 1).length;
  assert.deepEqual(violationsOf(clients), []);
  return { verdict, plainMissing, unanswered, reconnected, metrics, watch };
}

function openByWorker(metrics: Metrics): number[] {
  return ['1', '2'].map((worker) =>
    metrics.value('forebay_connections', { worker, transport: 'ws' }),
  );
}

async function workers(gateway: Gateway, state: string): Promise<number> {
  return (await gateway.metrics()).value('forebay_workers', { state });
}

function checkCrash(t: TestContext, result: Awaited<ReturnType<typeof crash>>): void {
  const { verdict, plainMissing, unanswered, reconnected, metrics, watch } = result;
  assert(verdict.clean, describeReconciliation(verdict).join('\n'));
  assert(reconnected > 0, 'clients were connected to the worker that died');
  assert.equal(metrics.value('forebay_worker_restarts_total', { cause: 'crash' }), 1);
  assert(watch.scrapes.length > 20 && watch.failed === 0, 'every scrape is answered');
  assert.deepEqual(watch.decreases(), []);
  assert.deepEqual(watch.unaccounted(), []);
  const lost = metrics.value('forebay_events_lost_total', { cause: 'crash' });
  const difference = plainMissing + unanswered;
  const snapshotEvents = (PER_SECOND.acknowledged + PER_SECOND.plain) * SNAPSHOT_SECONDS;
  t.diagnostic(`lost ${lost}; in the ledger ${plainMissing} plain + ${unanswered} unanswered`);
  assert(Math.abs(lost - difference) <= snapshotEvents, `lost ${lost}, ledger ${difference}`);
}

test('a worker killed under load: another takes over, counters stay, no acknowledged event is lost', async (t) => {
  const topic = uniqueTopic();
  const env = { FOREBAY_WORKERS: '2' };
  const gateway = await startGateway({ brokers: kafka.brokers, topic, env });
  t.after(() => gateway.kill());
  const [victim, other] = gateway.workers();
  const result = await crash(t, gateway, topic, async () => {
    process.kill(victim!, 'SIGKILL');
  });
  checkCrash(t, result);
  assert(!isRunning(victim!));
  assert(gateway.workers().includes(other!));
  assert.equal(gateway.workers().length, 2);
  const [died] = logged(gateway, 'worker died');
  assert.deepEqual([died?.workerPid, died?.signal], [victim, 'SIGKILL']);
  assert.equal((await gateway.stop()).code, 0);
});

test('a worker killed with a full buffer: lost agrees with the ledger within one snapshot', async (t) => {
  const topic = uniqueTopic();
  const env = { FOREBAY_WORKERS: '2' };
  const gateway = await startGateway({ brokers: kafka.brokers, topic, env });
  t.after(() => gateway.kill());
  const [victim] = gateway.workers();
  const result = await crash(t, gateway, topic, async () => {
    kafka.pause(0);
    try {
      await until(async () => {
        const metrics = await gateway.metrics();
        const waiting = (worker: string) => metrics.value('forebay_events_in_flight', { worker });
        return Math.min(waiting('1'), waiting('2')) > 200;
      });
      process.kill(victim!, 'SIGKILL');
      await untilLogged(gateway, 'worker died');
    } finally {
      kafka.resume(0);
    }
  });
  checkCrash(t, result);
  assert(result.metrics.value('forebay_events_lost_total') > 200);
  assert.equal((await gateway.stop()).code, 0);
});
