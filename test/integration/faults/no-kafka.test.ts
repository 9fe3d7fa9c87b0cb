import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startCluster } from '../../../deploy/kafka/cluster.ts';
import { freePorts } from '../../../deploy/kafka/ports.ts';
import { type Gateway, startGateway } from '../../../testing/gateway.ts';
import { uniqueTopic } from '../../../testing/kafka.ts';
import { describeReconciliation, Ledger } from '../../../testing/ledger.ts';
import {
  acknowledgedClients,
  allSettled,
  closeAll,
  Load,
  recordsOf,
  violationsOf,
} from '../../../testing/load.ts';
import { createTopic, testKafka } from '../../../testing/topic.ts';
import { until } from '../../../testing/wait.ts';
import { atRest, logged, readyz, untilNotReady } from '../../../testing/watch.ts';

const PARTITIONS = 5;
const NO_TOPIC = 'the topic does not exist';

async function refusedOverHttp(gateway: Gateway): Promise<void> {
  const event = { msg: 'm', clientId: 'c', timestamp: 1, id: 'http' };
  const response = await fetch(`${gateway.httpUrl}/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(event),
  });
  assert.equal(response.status, 503);
  assert(Number(response.headers.get('retry-after')) > 0);
  const { accepted, errors } = (await response.json()) as {
    accepted: number;
    errors: { code: string }[];
  };
  assert.deepEqual([accepted, errors.map(({ code }) => code)], [0, ['kafka_unavailable']]);
}

test('no Kafka at the start: it serves, reports why it is not ready, and becomes ready when Kafka starts', async (t) => {
  const [port] = await freePorts(1);
  const brokers = [`127.0.0.1:${port}`];
  const [topic, absent] = [uniqueTopic(), uniqueTopic('absent')];
  const env = { FOREBAY_WORKERS: '2', KAFKA_TOPIC_PARTITIONS: String(PARTITIONS) };
  const gateway = await startGateway({ brokers, topic, env, ready: false });
  t.after(() => gateway.kill());
  const forbidden = { ...env, KAFKA_CREATE_TOPIC: '0' };
  const other = await startGateway({ brokers, topic: absent, env: forbidden, ready: false });
  t.after(() => other.kill());
  await until(() => fetch(`${gateway.httpUrl}/livez`));
  await untilNotReady(gateway, 'Kafka cannot be reached: connection refused');
  for (const url of [gateway.httpUrl, gateway.adminUrl]) {
    assert.equal((await fetch(`${url}/livez`)).status, 200);
  }
  await refusedOverHttp(gateway);
  const ledger = new Ledger();
  const clients = await acknowledgedClients(t, 4, {
    url: gateway.wsUrl,
    ledger,
    retryRefused: true,
  });
  const load = new Load(t, clients, { eventsPerSecond: 200, prefix: 'a-' });
  const reason = { reason: 'kafka_unavailable' };
  await until(
    async () => (await gateway.metrics()).value('forebay_events_refused_total', reason) > 1,
  );

  const kafka = await startCluster({ ports: [port!] });
  t.after(() => kafka.close());
  const cameMs = performance.now();
  await gateway.ready();
  t.diagnostic(`ready ${Math.round(performance.now() - cameMs)} ms after Kafka answered`);
  await until(() => clients.every(({ acknowledgedEvents }) => acknowledgedEvents > 50));
  await load.stop();
  await allSettled(clients);
  await closeAll(clients);
  assert.equal((await atRest(gateway)).value('forebay_events_unaccounted'), 0);
  const verdict = ledger.reconcile(await recordsOf({ brokers, topic }));
  assert(verdict.clean, describeReconciliation(verdict).join('\n'));
  assert.equal(verdict.stored, load.events, 'including events rejected at first');
  assert.deepEqual(violationsOf(clients), []);

  await t.test('the topic was made once, by one of two workers, as configured', async () => {
    const created = logged(gateway, 'topic created');
    assert.deepEqual(
      created.map(({ topic: name, partitions, replication }) => [name, partitions, replication]),
      [[topic, PARTITIONS, 'broker default']],
    );
    assert.equal(await partitionsOf(brokers, topic), PARTITIONS);
    assert.equal((await gateway.stop()).code, 0);
  });

  await t.test('a topic that must not be created: reported, and used once it exists', async () => {
    await untilNotReady(other, NO_TOPIC);
    const said = () => logged(other, 'topic does not exist and KAFKA_CREATE_TOPIC is 0');
    await until(() => said().length > 0);
    await refusedOverHttp(other);
    assert.deepEqual(logged(other, 'topic created'), []);
    assert.equal(await partitionsOf(brokers, absent), 0);
    await createTopic({ brokers, topic: absent }, { numPartitions: 2 });
    await other.ready(10_000);
    assert.deepEqual(
      (await readyz(other)).map(({ status }) => status),
      [200, 200],
    );
    const [client] = await acknowledgedClients(t, 1, { url: other.wsUrl });
    client!.send({ id: 'one', msg: 'm', clientId: 'c', timestamp: 1 });
    await client!.settled();
    assert.equal(client!.acknowledgedEvents, 1);
    await client!.close();
    assert.equal((await other.stop()).code, 0);
  });
});

/** 0 = the topic does not exist. */
async function partitionsOf(brokers: readonly string[], topic: string): Promise<number> {
  const admin = testKafka(brokers).admin();
  await admin.connect();
  const exists = (await admin.listTopics()).includes(topic);
  const { topics } = await admin.fetchTopicMetadata({ topics: exists ? [topic] : [] });
  await admin.disconnect();
  return topics.find(({ name }) => name === topic)?.partitions.length ?? 0;
}
