/** The whole gateway against the fake cluster: faults that no real broker has on command. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { FrameClient } from '../../testing/frame-client.ts';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { PATIENCE_MS } from '../../testing/wait.ts';
import { FakeCluster } from '../fakes/broker/cluster.ts';

const TOPIC = 'fake-events';
const clusters: FakeCluster[] = [];
const gateways: Gateway[] = [];

after(async () => {
  for (const gateway of gateways) await gateway.kill();
  for (const cluster of clusters) await cluster.close();
});

const event = (msg: string) => JSON.stringify({ msg, clientId: 'c', timestamp: 1 });

async function start(partitions: number) {
  const cluster = await FakeCluster.start({ brokers: 3, topics: { [TOPIC]: partitions } });
  clusters.push(cluster);
  const gateway = await startGateway({ brokers: cluster.addresses, topic: TOPIC });
  gateways.push(gateway);
  return { cluster, gateway, client: await FrameClient.open(gateway.wsUrl) };
}

const valuesOf = (cluster: FakeCluster) =>
  cluster.topics.get(TOPIC)!.flatMap(({ values }) => values);

describe('a gateway on the fake cluster', { concurrency: true, timeout: PATIENCE_MS }, () => {
  test('an event is acknowledged and in the log', async () => {
    const { cluster, gateway, client } = await start(6);
    assert.deepEqual(await client.exchange(event('hello')), []);
    assert.deepEqual(valuesOf(cluster), [event('hello')]);
    await client.close();
    assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
    assert.deepEqual(gateway.errors, []);
    assert.deepEqual(cluster.strange, []);
  });

  test('broken responses are survived, and stored events acknowledged once', async () => {
    const { cluster, gateway, client } = await start(1);
    const workers = gateway.workers();
    const injected = [
      { wire: { length: -1 }, append: true },
      { wire: { length: 2 ** 31 - 1 }, append: true },
      { wire: 'half, then close', append: true },
      { code: -1, append: true },
      { omit: true, append: true },
    ].map((fault) => cluster.inject({ request: 'Produce' }, fault as { append: true }));
    assert.deepEqual(await client.exchange(event('a')), []);
    assert.deepEqual(await client.exchange(event('b')), []);
    assert(injected.every(({ consumed }) => consumed === 1));
    assert.deepEqual(valuesOf(cluster), [event('a'), event('b')]);
    assert.deepEqual(gateway.workers(), workers, 'no worker died');
    await client.close();
    assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
    assert.deepEqual(gateway.errors, []);
  });

  test('rejected credentials at the start end it with one line', async () => {
    const sasl = { username: 'forebay', password: 'right' };
    const cluster = await FakeCluster.start({ topics: { [TOPIC]: 1 }, sasl });
    clusters.push(cluster);
    const env = {
      KAFKA_SASL_MECHANISM: 'plain',
      KAFKA_SASL_USERNAME: 'forebay',
      KAFKA_SASL_PASSWORD: 'wrong',
    };
    const brokers = cluster.addresses;
    const gateway = await startGateway({ brokers, topic: TOPIC, env, ready: false });
    gateways.push(gateway);
    assert.deepEqual(await gateway.exit, { code: 1, signal: null });
    const said = [...gateway.log.map(({ msg }) => msg), ...gateway.errors].filter((line) =>
      line?.includes('Kafka authentication failed'),
    );
    assert.equal(said.length, 1, gateway.logTail());
    assert(!gateway.logTail().includes('wrong'), 'the password is not logged');
  });
});
