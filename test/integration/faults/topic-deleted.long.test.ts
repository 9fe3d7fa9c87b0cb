import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGateway } from '../../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../../testing/kafka.ts';
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
import { deleteTopic, noteOffsets, type Offsets, untilMadeAgain } from '../../../testing/topic.ts';
import { until } from '../../../testing/wait.ts';
import { atRest, logged, produceErrors, untilStored, Watch } from '../../../testing/watch.ts';

const { brokers } = await sharedKafka();

/** Deletes the topic. @returns the end offsets of its partitions just before */
async function deleteNow(topic: string, ledger: Ledger): Promise<Offsets> {
  const ends = await noteOffsets({ brokers, topic });
  ledger.topicDeleting();
  await deleteTopic({ brokers, topic });
  return ends;
}

test('a topic deleted under load is recreated, and holds every event acknowledged since', async (t) => {
  const topic = uniqueTopic();
  const env = { FOREBAY_WORKERS: '2', KAFKA_TOPIC_PARTITIONS: '6' };
  const gateway = await startGateway({ brokers, topic, env });
  t.after(() => gateway.kill());
  const watch = new Watch(t, gateway);
  const ledger = new Ledger();
  const options = { url: gateway.wsUrl, ledger, reconnect: true, retryRefused: true };
  const clients = await acknowledgedClients(t, 6, options);
  const plain = await plainSources(t, 2, gateway.wsUrl, ledger);
  const loads = [
    new Load(t, clients, { eventsPerSecond: 800, eventsPerFrame: 4, prefix: 'a-' }),
    new Load(t, plain, { eventsPerSecond: 100, prefix: 'p-' }),
  ];
  await untilStored(gateway, 2_000);
  const errorsBefore = await produceErrors(gateway);
  const ends = await deleteNow(topic, ledger);
  await until(() => logged(gateway, 'topic created').length === 2, {
    what: () => gateway.logTail(),
  });
  await untilMadeAgain({ brokers, topic }, ends);
  ledger.newIncarnation();
  const newFrom = clients.map(({ acknowledgedEvents }) => acknowledgedEvents);
  // Nothing hangs: each client receives results of the events it sends from now on.
  const acknowledged = () => clients.map((client, i) => client.acknowledgedEvents - newFrom[i]!);
  const what = () => `100 acknowledgements each, not ${acknowledged()}`;
  await until(() => acknowledged().every((events) => events > 100), { what });
  await Promise.all(loads.map((load) => load.stop()));
  await allSettled(clients);
  await closeAll([...clients, ...plain]);
  const metrics = await atRest(gateway);
  await watch.stop();

  assert((await produceErrors(gateway)) > errorsBefore, 'the deletion caused errors');
  const records = await recordsOf({ brokers, topic });
  const verdict = ledger.reconcile(records);
  assert(verdict.clean, describeReconciliation(verdict).join('\n'));
  t.diagnostic(describeReconciliation(verdict).join('; '));
  assert(verdict.deleted > 1_500, `${verdict.deleted} went with the old topic`);
  const toldStored = clients.reduce((sum, client) => sum + client.acknowledgedEvents, 0);
  assert.equal(toldStored, loads[0]!.events, 'each event was acknowledged in the end');
  const lost = loads[1]!.events - recordsWith('p-', records).length;
  assert(metrics.value('forebay_events_dropped_total') <= lost);
  assert.deepEqual(violationsOf(clients), []);
  assert.deepEqual([watch.decreases(), watch.unaccounted()], [[], []]);
  assert.equal((await gateway.stop()).code, 0);
});
