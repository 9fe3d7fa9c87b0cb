import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type KafkaCluster, startCluster } from '../../../deploy/kafka/cluster.ts';
import { startGateway } from '../../support/gateway.ts';
import { uniqueTopic } from '../../support/kafka.ts';
import { describeVerdict, Ledger } from '../../support/ledger.ts';
import { testKafka } from '../../support/topic.ts';
import { until } from '../../support/wait.ts';
import {
  acknowledgedClients,
  allSettled,
  closeAll,
  Load,
  plainSources,
  recordsOf,
  recordsWith,
  violationsOf,
} from './load.ts';
import { atRest, produceErrors, untilStored, Watch } from './watch.ts';

let kafka: KafkaCluster;
before(async () => {
  kafka = await startCluster({ nodes: 3, heapMb: 384 });
});
after(() => kafka?.close());

/** Index of the node that leads the partition, or of any that leads something. */
async function leaderOf(topic: string, partition: number): Promise<number> {
  const admin = testKafka(kafka.brokers).admin();
  await admin.connect();
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  await admin.disconnect();
  return topics[0]!.partitions.find(({ partitionId }) => partitionId === partition)!.leader - 1;
}

async function addPartitions(topic: string, count: number): Promise<void> {
  const admin = testKafka(kafka.brokers).admin();
  await admin.connect();
  await admin.createPartitions({ topicPartitions: [{ topic, count }] });
  await admin.disconnect();
}

test('one of three brokers killed and started again under load: nothing is lost or doubled', async (t) => {
  const topic = uniqueTopic();
  const env = { KAFKA_TOPIC_PARTITIONS: '6' };
  const gateway = await startGateway({ brokers: kafka.brokers, topic, env });
  t.after(() => gateway.kill());
  const ledger = new Ledger();
  const options = { url: gateway.wsUrl, ledger, reconnect: true, retryRefused: true };
  const clients = await acknowledgedClients(t, 10, options);
  const plain = await plainSources(t, 2, gateway.wsUrl, ledger);
  const loads = [
    new Load(t, clients, { eventsPerSecond: 1_000, eventsPerFrame: 5, prefix: 'a-' }),
    new Load(t, plain, { eventsPerSecond: 200, prefix: 'p-' }),
  ];
  const watch = new Watch(t, gateway);
  await untilStored(gateway, 1_000);
  const victim = await leaderOf(topic, 0);
  // A topic that is new may have had some already: not every broker knows of it at once.
  const errorsBefore = await produceErrors(gateway);
  await kafka.kill(victim);
  await until(async () => (await produceErrors(gateway)) > errorsBefore);
  // The other two are in sync: it goes on without the third.
  await untilStored(gateway, 1_000);
  await kafka.restart(victim);
  await untilStored(gateway, 1_000);
  await Promise.all(loads.map((load) => load.stop()));
  await allSettled(clients);
  await closeAll([...clients, ...plain]);
  const metrics = await atRest(gateway);
  await watch.stop();
  const records = await recordsOf({ brokers: kafka.brokers, topic });
  const verdict = ledger.reconcile(records);
  assert(verdict.clean, describeVerdict(verdict).join('\n'));
  assert.equal(verdict.sent, verdict.acknowledged + verdict.refused + loads[1]!.events);
  const dropped = metrics.value('forebay_events_dropped_total');
  assert.equal(loads[1]!.events - recordsWith('p-', records).length, dropped);
  assert.deepEqual(violationsOf(clients), []);
  assert.deepEqual([watch.falls(), watch.unaccounted()], [[], []]);
  t.diagnostic(`${describeVerdict(verdict)[0]}; produce errors ${await produceErrors(gateway)}`);
  assert.equal((await gateway.stop()).code, 0);
});

test('partitions added while it runs are taken up at the next lost connection', async (t) => {
  const topic = uniqueTopic();
  const env = { KAFKA_TOPIC_PARTITIONS: '3' };
  const gateway = await startGateway({ brokers: kafka.brokers, topic, env });
  t.after(() => gateway.kill());
  const ledger = new Ledger();
  const options = { url: gateway.wsUrl, ledger, reconnect: true, retryRefused: true };
  const clients = await acknowledgedClients(t, 4, options);
  const load = new Load(t, clients, { eventsPerSecond: 500, prefix: 'a-' });
  await untilStored(gateway, 100);
  const lanes = async () => (await gateway.metrics()).value('forebay_lanes');
  assert.equal(await lanes(), 3);
  await addPartitions(topic, 6);
  await kafka.kill(2);
  await until(async () => (await lanes()) === 6);
  await untilStored(gateway, 1_000);
  await load.stop();
  await allSettled(clients);
  await closeAll(clients);
  const records = await recordsOf({ brokers: kafka.brokers, topic });
  const verdict = ledger.reconcile(records);
  assert(verdict.clean, describeVerdict(verdict).join('\n'));
  const partitions = new Set(records.map(({ partition }) => partition));
  assert.deepEqual([...partitions].sort(), [0, 1, 2, 3, 4, 5]);
  assert.equal((await gateway.stop()).code, 0);
});
