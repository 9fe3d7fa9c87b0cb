/**
 * Motivation for Forebay's own produce path: one of three brokers is killed every few seconds under
 * load, with kafkajs's idempotent producer as commonly used, and with Forebay. Both topics are read
 * back.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type KafkaCluster, startCluster } from '../../deploy/kafka/cluster.ts';
import { AcknowledgedClient } from '../../testing/client.ts';
import { Ledger, type Reconciliation } from '../../testing/ledger.ts';
import { createTopic, readTopic, testKafka } from '../../testing/topic.ts';
import type { Figure, Result } from '../result.ts';
import type { Bench, Scenario } from '../scenario.ts';

const PARTITIONS = 6;
const KILLS = 6;
const KILL_EVERY_MS = 6_000;
const DOWN_MS = 2_500;
const BATCH = 50;
const BATCH_EVERY_MS = 10;
/** Maximum number of batches in flight, in both halves. */
const IN_FLIGHT = 8;
const SETTLE_MS = 60_000;

interface Half {
  readonly name: string;
  readonly verdict: Reconciliation;
}

export const brokerKills: Scenario = {
  name: 'broker-kills',
  summary: `${KILLS} broker kills under load: kafkajs's idempotent producer, then Forebay`,
  minutes: 3,
  ownKafka: true,
  standalone: true,
  async run(bench) {
    const cluster = await startCluster({ nodes: 3 });
    try {
      const halves: Half[] = [];
      for (const half of [kafkajsHalf, forebayHalf]) {
        halves.push(await runHalf(cluster, half, bench));
      }
      return report(halves);
    } finally {
      await cluster.close({ remove: true });
    }
  },
};

type Load = (
  brokers: readonly string[],
  topic: string,
  ledger: Ledger,
  faults: () => Promise<void>,
  bench: Bench,
) => Promise<void>;

async function runHalf(cluster: KafkaCluster, load: Load, bench: Bench): Promise<Half> {
  const { brokers } = cluster;
  const topic = `broker-kills-${randomUUID().slice(0, 13)}`;
  await createTopic({ brokers, topic }, { numPartitions: PARTITIONS, replicationFactor: 3 });
  bench.log(`${load.name}: ${KILLS} kills, about ${(KILLS * KILL_EVERY_MS) / 1000} s …`);
  const ledger = new Ledger();
  await load(brokers, topic, ledger, () => killInTurn(cluster), bench);
  return { name: load.name, verdict: ledger.reconcile(await readTopic({ brokers, topic })) };
}

async function killInTurn(cluster: KafkaCluster): Promise<void> {
  for (let kill = 0; kill < KILLS; kill++) {
    await sleep(KILL_EVERY_MS - DOWN_MS);
    await cluster.kill(kill % 3);
    await sleep(DOWN_MS);
    await cluster.restart(kill % 3);
  }
}

/** Common usage: batches without keys, several sends in flight. */
async function kafkajsHalf(...[brokers, topic, ledger, faults]: Parameters<Load>): Promise<void> {
  const producer = testKafka(brokers).producer({ idempotent: true });
  await producer.connect();
  const open = new Set<Promise<void>>();
  let over = false;
  const end = faults().then(() => {
    over = true;
  });
  for (let batch = 0; !over; batch++) {
    await sleep(BATCH_EVERY_MS);
    if (open.size >= IN_FLIGHT) continue;
    const ids = Array.from({ length: BATCH }, (_, index) => `${batch}-${index}`);
    for (const id of ids) ledger.sent(id);
    const messages = ids.map((id) => ({ value: JSON.stringify({ id, attempt: 1 }) }));
    const sent = producer.send({ topic, acks: -1, messages }).then(
      () => {
        for (const id of ids) ledger.acknowledged(id);
      },
      () => {}, // Given up by kafkajs: not acknowledged.
    );
    const settled = sent.then(() => void open.delete(settled));
    open.add(settled);
  }
  await end;
  await Promise.all(open);
  await producer.disconnect();
}

async function forebayHalf(...[brokers, topic, ledger, faults, bench]: Parameters<Load>) {
  const gateway = await bench.startGateway({ brokers, topic });
  try {
    const options = { url: gateway.wsUrl, ledger, reconnect: true, retryRefused: true };
    const client = await new AcknowledgedClient({ ...options, name: 'client' }).open();
    let over = false;
    const end = faults().then(() => {
      over = true;
    });
    for (let batch = 0; !over; batch++) {
      await sleep(BATCH_EVERY_MS);
      if (client.outstanding >= IN_FLIGHT) continue;
      const event = (index: number) => ({
        msg: 'load',
        clientId: `client-${index}`,
        timestamp: Date.now(),
        id: `${batch}-${index}`,
      });
      client.send(...Array.from({ length: BATCH }, (_, index) => event(index)));
    }
    await end;
    await client.settled(SETTLE_MS);
    await client.close();
    await gateway.stop();
  } finally {
    await gateway.kill();
  }
}

function report(halves: readonly Half[]): Result {
  const figures = halves.flatMap(({ name, verdict: { acknowledged, missing, doubled } }) => {
    const producer = name.replace('Half', '');
    const figure = (what: string, value: number): Figure => {
      return { name: `${producer}: ${what}`, unit: 'events', values: [value] };
    };
    return [
      figure('acknowledged', acknowledged),
      figure('acknowledged, missing', missing.length),
      figure('stored twice', doubled.length),
    ];
  });
  const setup =
    `Three brokers, RF 3, min.insync.replicas 2, acks=all; one broker killed every ` +
    `${KILL_EVERY_MS / 1000} s and restarted after ${DOWN_MS / 1000} s, ${KILLS} kills each; up to ` +
    `${IN_FLIGHT} batches or frames of ${BATCH} events in flight.`;
  const forebay = halves.at(-1)!.verdict;
  const problems = forebay.clean ? [] : ['Forebay lost, duplicated or reordered events'];
  return { setup, figures, problems };
}
