import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type KafkaCluster, startCluster } from '../../../deploy/kafka/cluster.ts';
import { startGateway } from '../../../testing/gateway.ts';
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
import { atRest, logged, readyz, untilLogged, untilStored, Watch } from '../../../testing/watch.ts';

const MIB = 1024 * 1024;
const OUTAGE_MS = 20_000;
const BUDGET_BYTES = 16 * MIB;
const BESIDE_BUDGET_BYTES = 100 * MIB;

let kafka: KafkaCluster;
before(async () => {
  kafka = await startCluster();
});
after(() => kafka?.close());

test('a Kafka outage of 20 s under load: bounded memory, no acknowledged event lost, drops counted', async (t) => {
  const topic = uniqueTopic();
  const env = { FOREBAY_BUFFER_BYTES: String(BUDGET_BYTES) };
  const gateway = await startGateway({ brokers: kafka.brokers, topic, env });
  t.after(() => gateway.kill());
  const ledger = new Ledger();
  const options = { url: gateway.wsUrl, ledger, reconnect: true, retryRefused: true };
  // Each so slow that credit lasts until the buffer is full and some are rejected.
  const clients = await acknowledgedClients(t, 40, options);
  const plain = await plainSources(t, 4, gateway.wsUrl, ledger);
  const slow = { eventsPerSecond: 160, eventsPerFrame: 2, prefix: 'a-', msgBytes: 400 };
  const fast = { eventsPerSecond: 1_200, prefix: 'p-', msgBytes: 800 };
  const [load, plainLoad] = [new Load(t, clients, slow), new Load(t, plain, fast)];
  const watch = new Watch(t, gateway);
  await untilStored(gateway, 1_000);
  await kafka.kill(0);
  await sleep(OUTAGE_MS);
  const [publicAnswer] = await readyz(gateway);
  const startMs = performance.now();
  await kafka.restart(0);
  await untilStored(gateway, 10_000);
  const recoveredMs = Math.round(performance.now() - startMs);
  await Promise.all([load.stop(), plainLoad.stop()]);
  await allSettled(clients);
  await closeAll([...clients, ...plain]);
  const metrics = await atRest(gateway);
  await watch.stop();

  await untilLogged(gateway, 'Kafka outage ended');
  const ends = ['Kafka outage began', 'Kafka outage ended'];
  const lines = ends.map((msg) => logged(gateway, msg).length);
  assert.deepEqual(lines, [1, 1], 'one outage was logged');
  const [refused, dropped] = ['refused', 'dropped'].map((fate) =>
    metrics.value(`forebay_events_${fate}_total`, { reason: 'buffer_full' }),
  );
  assert(refused! > 0 && dropped! > 0, `refused ${refused}, dropped ${dropped}: it was full`);
  assert.equal(publicAnswer!.status, 503, 'not ready with a full buffer');
  assert.deepEqual(
    plain.map(({ connections }) => connections),
    [1, 1, 1, 1],
  );

  const records = await recordsOf({ brokers: kafka.brokers, topic });
  const verdict = ledger.reconcile(records);
  assert(verdict.clean, describeReconciliation(verdict).join('\n'));
  const acknowledgedIds = clients.reduce((sum, client) => sum + client.acknowledgedEvents, 0);
  assert.equal(acknowledgedIds, load.events, 'each event was acknowledged in the end');
  const missing = plainLoad.events - recordsWith('p-', records).length;
  assert.equal(metrics.value('forebay_events_dropped_total'), missing);
  assert.deepEqual(violationsOf(clients), []);
  assert.deepEqual([watch.decreases(), watch.unaccounted()], [[], []]);

  const bufferMax = watch.max('forebay_buffer_bytes');
  const residentMax = Math.max(watch.max('forebay_worker_resident_bytes'), watch.residentBytesMax);
  t.diagnostic(describeReconciliation(verdict)[0]!);
  t.diagnostic(
    `buffer ${mib(bufferMax)}, resident ${mib(residentMax)} at most (budget ${mib(BUDGET_BYTES)}); ` +
      `dropped ${dropped}, rejected ${refused}; Kafka started and drained in ${recoveredMs} ms`,
  );
  assert(bufferMax <= BUDGET_BYTES, `buffer ${bufferMax}`);
  assert(residentMax <= BUDGET_BYTES + BESIDE_BUDGET_BYTES, `resident ${residentMax}`);
  assert.equal((await gateway.stop()).code, 0);
});

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
