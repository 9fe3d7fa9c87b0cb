/**
 * A short chaos run: of three brokers one is killed and started again, then another one is stopped
 * and goes on. The longer one is `make bench SCENARIO=broker-kills`.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { type KafkaCluster, startCluster } from '../../../deploy/kafka/cluster.ts';
import { isRunning } from '../../primary/fixtures/child.ts';
import { Failover, partitionsOf, TimedLedger } from '../../support/failover.ts';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { HttpSource } from '../../support/http-source.ts';
import { uniqueTopic } from '../../support/kafka.ts';
import { describeVerdict, Ledger } from '../../support/ledger.ts';
import {
  acknowledgedClients,
  allSettled,
  closeAll,
  Load,
  plainSources,
  recordsOf,
  recordsWith,
  violationsOf,
} from '../../support/load.ts';
import { testKafka } from '../../support/topic.ts';
import { until } from '../../support/wait.ts';
import { atRest, produceErrors, untilStored, Watch } from '../../support/watch.ts';

/** From the moment that the cluster has a new leader to its first acknowledgement. */
const FIRST_ACK_MS_MAX = 2_000;

let kafka: KafkaCluster;
before(async () => {
  kafka = await startCluster({
    nodes: 3,
    heapMb: 384,
    overrides: { 'broker.session.timeout.ms': '2000', 'broker.heartbeat.interval.ms': '500' },
  });
});
after(() => kafka?.close());

/** Waits until all replicas of the topic are in sync: one may be missed again. */
async function untilInSync(topic: string): Promise<void> {
  const inSync = async () =>
    (await partitionsOf(kafka.brokers, topic)).every(({ isr }) => isr.length === 3);
  await until(inSync, { deadlineMs: 30_000, everyMs: 50, what: 'all replicas in sync' });
}

/** Does something to the node that leads the partition, and waits until others lead instead. */
async function failover(
  gateway: Gateway,
  topic: string,
  partition: number,
  fault: (node: number) => void | Promise<void>,
): Promise<{ failover: Failover; node: number }> {
  const [partitions, errorsBefore] = await Promise.all([
    partitionsOf(kafka.brokers, topic),
    produceErrors(gateway),
  ]);
  const { leader } = partitions.find(({ partitionId }) => partitionId === partition)!;
  const node = leader - 1;
  const lost = partitions.filter((candidate) => candidate.leader === leader);
  const living = kafka.brokers.filter((_, index) => index !== node);
  await fault(node);
  const failover = new Failover(lost.map(({ partitionId }) => partitionId));
  await failover.untilLed(living, topic, leader);
  // The other two are in sync: it goes on without the third.
  await untilStored(gateway, 1_000);
  assert((await produceErrors(gateway)) > errorsBefore, 'the fault was felt');
  return { failover, node };
}

/** One letter: R, S, D, T (stopped), Z. */
function stateOf(pid: number): string {
  return /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))![1]!;
}

/** A broker is killed and comes back; then another one is stopped for a while. */
async function chaos(gateway: Gateway, topic: string) {
  const killed = await failover(gateway, topic, 0, async (node) => {
    const { pid } = kafka.nodes[node]!;
    await kafka.kill(node);
    assert(!isRunning(pid!));
  });
  await kafka.restart(killed.node);
  await untilInSync(topic);
  const stopped = await failover(gateway, topic, 1, (node) => {
    kafka.pause(node);
    return until(() => stateOf(kafka.nodes[node]!.pid!) === 'T').then(() => {});
  });
  assert.equal(stateOf(kafka.nodes[stopped.node]!.pid!), 'T');
  kafka.resume(stopped.node);
  await untilInSync(topic);
  await untilStored(gateway, 1_000);
  return { killed: killed.failover, stopped: stopped.failover };
}

test('a broker killed, another one stopped, under load: nothing is lost or doubled, acknowledgements come soon', async (t) => {
  const topic = uniqueTopic();
  const env = { KAFKA_TOPIC_PARTITIONS: '6' };
  const gateway = await startGateway({ brokers: kafka.brokers, topic, env });
  t.after(() => gateway.kill());
  const ledger = new TimedLedger();
  const options = { url: gateway.wsUrl, ledger, reconnect: true, retryRefused: true };
  const clients = await acknowledgedClients(t, 10, options);
  const plain = await plainSources(t, 2, gateway.wsUrl, ledger);
  const http = new HttpSource(t, { url: gateway.httpUrl, ledger, openMax: 200 });
  const loads = [
    new Load(t, clients, { eventsPerSecond: 1_000, eventsPerFrame: 5, prefix: 'a-' }),
    new Load(t, plain, { eventsPerSecond: 200, prefix: 'p-' }),
    new Load(t, [http], { eventsPerSecond: 100, eventsPerFrame: 5, prefix: 'h-' }),
  ];
  const watch = new Watch(t, gateway);
  await untilStored(gateway, 1_000);
  const { killed, stopped } = await chaos(gateway, topic);
  await Promise.all(loads.map((load) => load.stop()));
  await allSettled(clients);
  await http.settled();
  await closeAll([...clients, ...plain]);
  const metrics = await atRest(gateway);
  await watch.stop();

  const records = await recordsOf({ brokers: kafka.brokers, topic });
  const verdict = ledger.reconcile(records);
  assert(verdict.clean, describeVerdict(verdict).join('\n'));
  const [acknowledged, plainSent, posted] = loads.map(({ events }) => events);
  assert.equal(verdict.sent, verdict.acknowledged + verdict.refused + plainSent!);
  const told = clients.reduce((sum, client) => sum + client.acknowledgedEvents, 0);
  assert.equal(told, acknowledged);
  assert.deepEqual([http.acceptedEvents, http.failed], [posted, 0]);
  const dropped = metrics.value('forebay_events_dropped_total');
  assert.equal(plainSent! - recordsWith('p-', records).length, dropped);
  assert.deepEqual(violationsOf(clients), []);
  assert.deepEqual([watch.falls(), watch.unaccounted()], [[], []]);
  t.diagnostic(`${describeVerdict(verdict)[0]}; produce errors ${await produceErrors(gateway)}`);
  for (const [fault, failover] of Object.entries({ killed, stopped })) {
    const firstMs = failover.firstAcknowledgements(ledger, records);
    t.diagnostic(
      `${fault}: leaders after ${failover.leaderlessMs} ms, first acknowledgements ` +
        `${firstMs.join(', ')} ms later`,
    );
    assert(Math.max(...firstMs) < FIRST_ACK_MS_MAX, `${fault}: ${firstMs} ms`);
  }
  assert.equal((await gateway.stop()).code, 0);
});

async function addPartitions(topic: string, count: number): Promise<void> {
  const admin = testKafka(kafka.brokers).admin();
  await admin.connect();
  await admin.createPartitions({ topicPartitions: [{ topic, count }] });
  await admin.disconnect();
}

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
