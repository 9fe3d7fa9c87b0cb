import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { type Admin, Kafka, logLevel } from 'kafkajs';
import { FaultProxy } from '../../bench/chaos/proxy.ts';
import { type KafkaCluster, startCluster } from '../../deploy/kafka/cluster.ts';
import { aliveNodes } from '../../deploy/kafka/node.ts';
import { freePorts, isFree } from '../../deploy/kafka/ports.ts';
import { uniqueTopic } from '../../testing/kafka.ts';
import { createTopic } from '../../testing/topic.ts';
import { until } from '../../testing/wait.ts';

const PARTITIONS = 6;
const topic = uniqueTopic('cluster');
let cluster: KafkaCluster;
let admin: Admin;

before(async () => {
  cluster = await startCluster({ nodes: 3 });
  const { brokers } = cluster;
  await createTopic({ brokers, topic }, { numPartitions: PARTITIONS, replicationFactor: -1 });
  const kafka = new Kafka({
    brokers: [...cluster.brokers],
    logLevel: logLevel.NOTHING,
  });
  admin = kafka.admin();
  await admin.connect();
});

after(async () => {
  await admin?.disconnect();
  await cluster?.close();
});

async function leaders(): Promise<number[]> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  return (topics[0]?.partitions ?? []).map((partition) => partition.leader);
}

/** Waits until the partitions' leaders match. */
async function leadersAre(wished: (leaders: number[]) => boolean) {
  let seen: number[] = [];
  const match = async () => {
    seen = await leaders().catch(() => []);
    return seen.length === PARTITIONS && wished(seen);
  };
  await until(match, { everyMs: 100, what: () => `leaders; now ${seen.join(', ')}` });
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('three nodes know each other, and topics get three replicas', async () => {
  for (const broker of cluster.brokers) {
    assert.deepEqual((await aliveNodes(broker)).sort(), [1, 2, 3]);
  }
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  for (const partition of topics[0]!.partitions) assert.equal(partition.replicas.length, 3);
  assert.deepEqual([...new Set(await leaders())].sort(), [1, 2, 3]);
});

test('a killed broker loses its partitions, and leads again after its restart', async () => {
  const pid = cluster.nodes[1]!.pid!;
  await cluster.kill(1);
  assert.equal(cluster.nodes[1]!.pid, undefined);
  assert.equal(alive(pid), false);
  assert.deepEqual(await aliveNodes(cluster.brokers[1]!), []);
  await leadersAre((ids) => ids.every((id) => id === 1 || id === 3));

  await cluster.restart(1);
  assert.notEqual(cluster.nodes[1]!.pid, pid);
  assert.ok((await aliveNodes(cluster.brokers[1]!)).includes(2));
  await leadersAre((ids) => ids.includes(2));
});

test('a paused broker does not respond until it continues', async () => {
  cluster.pause(2);
  try {
    assert.deepEqual(await aliveNodes(cluster.brokers[2]!), []);
  } finally {
    cluster.resume(2);
  }
  await leadersAre((ids) => ids.every((id) => id >= 1));
  const again = async () => (await aliveNodes(cluster.brokers[2]!)).includes(3);
  await until(again, { what: 'the broker to take part again' });
});

test('a closed cluster leaves no process, no port and no folder', async () => {
  await admin.disconnect();
  const pids = cluster.nodes.map((node) => node.pid!);
  const ports = cluster.nodes.map((node) => node.port);
  await cluster.close();
  assert.deepEqual(pids.filter(alive), []);
  assert.deepEqual(await Promise.all(ports.map(isFree)), [true, true, true]);
  assert.equal(existsSync(cluster.dir), false);
});

test('clients of the inner listener get the advertised address, others the broker itself', async (t) => {
  const [port] = (await freePorts(1)) as [number];
  const place = { host: '127.0.0.1', port };
  const own = await startCluster({ advertised: [place] });
  t.after(() => own.close());
  const proxy = await FaultProxy.start(own.inner[0]!, port);
  t.after(() => proxy.close());
  const told = async (address: string) => {
    const other = new Kafka({ brokers: [address], logLevel: logLevel.NOTHING }).admin();
    await other.connect();
    const [broker] = (await other.describeCluster()).brokers;
    await other.disconnect();
    return { host: broker!.host, port: broker!.port };
  };
  const { address, port: ownPort } = own.nodes[0]!;
  assert.deepEqual(await told(address), { host: '127.0.0.1', port: ownPort });
  assert.equal(proxy.counts.connections, 0);
  assert.deepEqual(await told(`127.0.0.1:${own.inner[0]}`), place);
  assert(proxy.counts.connections > 0);
  await assert.rejects(
    startCluster({ nodes: 3, advertised: [place] }),
    /^RangeError: 3 nodes need/,
  );
});
