import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { startGateway } from '../../support/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../support/kafka.ts';
import { describeVerdict, Ledger } from '../../support/ledger.ts';
import { testKafka } from '../../support/topic.ts';
import { until } from '../../support/wait.ts';
import {
  acknowledgedClients,
  allSettled,
  closeAll,
  Load,
  recordsOf,
  recordsWith,
  violationsOf,
} from './load.ts';
import { atRest, logged, produceErrors, untilStored, Watch } from './watch.ts';

let brokers: readonly string[];
before(async () => {
  ({ brokers } = await sharedKafka());
});

test('a topic deleted under load is made again, and what is acknowledged from then on is there', async (t) => {
  const topic = uniqueTopic();
  const env = { FOREBAY_WORKERS: '2', KAFKA_TOPIC_PARTITIONS: '6' };
  const gateway = await startGateway({ brokers, topic, env });
  t.after(() => gateway.kill());
  const watch = new Watch(t, gateway);
  const options = { url: gateway.wsUrl, reconnect: true, retryRefused: true };
  const early = await acknowledgedClients(t, 6, options);
  const load = new Load(t, early, { eventsPerSecond: 800, eventsPerFrame: 4, prefix: 'e-' });
  await untilStored(gateway, 1_000);
  const errorsBefore = await produceErrors(gateway);
  const admin = testKafka(brokers).admin();
  await admin.connect();
  await admin.deleteTopics({ topics: [topic] });
  await admin.disconnect();
  const again = () => logged(gateway, 'topic created').length === 2;
  await until(again, { what: () => gateway.logTail() });
  await until(async () => (await produceErrors(gateway)) > errorsBefore, {
    what: 'produce errors',
  });

  const ledger = new Ledger();
  const late = await acknowledgedClients(t, 6, { ...options, ledger, name: 'l' });
  const lateLoad = new Load(t, late, { eventsPerSecond: 400, prefix: 'l-' });
  await until(() => late.every(({ acknowledgedEvents }) => acknowledgedEvents > 100));
  await Promise.all([load.stop(), lateLoad.stop()]);
  const clients = [...early, ...late];
  await allSettled(clients);
  await closeAll(clients);
  await atRest(gateway);
  await watch.stop();
  const records = recordsWith('l-', await recordsOf({ brokers, topic }));
  const verdict = ledger.reconcile(records);
  assert(verdict.clean, describeVerdict(verdict).join('\n'));
  assert.equal(verdict.stored, lateLoad.events);
  assert.deepEqual(violationsOf(clients), []);
  assert.deepEqual([watch.falls(), watch.unaccounted()], [[], []]);
  assert.equal((await gateway.stop()).code, 0);
});
