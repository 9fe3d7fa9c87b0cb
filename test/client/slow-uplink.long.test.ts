/** Slow uplinks with a gateway and Kafka: all events arrive, once and in order. */
import assert from 'node:assert/strict';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { createClient } from '../../src/client/client.ts';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { readTopic } from '../../testing/topic.ts';

const TICK_MS = 50;
const topic = uniqueTopic('uplink');
let brokers: readonly string[];
let gateway: Gateway;
const ends: (() => void)[] = [];

before(async () => {
  ({ brokers } = await sharedKafka());
  gateway = await startGateway({ brokers, topic });
});
after(async () => {
  for (const end of ends) end();
  await gateway?.kill();
});

/** Forwards bytes to the gateway at this rate, over all connections. @returns its port */
async function slowProxy(bytesPerSecond: number): Promise<number> {
  const queue: { readonly server: Socket; bytes: Buffer }[] = [];
  const proxy: Server = createServer((client) => {
    const server = connect(gateway.port, '127.0.0.1');
    const end = () => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) socket.on('error', end).on('close', end);
    client.on('data', (bytes: Buffer) => queue.push({ server, bytes }));
    server.on('data', (bytes) => client.write(bytes));
  });
  const timer = setInterval(() => {
    let left = (bytesPerSecond * TICK_MS) / 1_000;
    while (left > 0 && queue[0] !== undefined) {
      const { server, bytes } = queue[0];
      if (!server.destroyed) {
        server.write(bytes.subarray(0, left));
        queue[0].bytes = bytes.subarray(left);
        left -= bytes.length;
      }
      if (server.destroyed || queue[0].bytes.length === 0) queue.shift();
    }
  }, TICK_MS);
  ends.push(() => {
    clearInterval(timer);
    proxy.close();
  });
  await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done));
  return (proxy.address() as AddressInfo).port;
}

/** @returns the ids of the events, once all are reported as stored */
async function sendAll(way: string, kbPerSecond: number, count: number, bytes: number) {
  const port = await slowProxy(kbPerSecond * 1_000);
  // Port 1 answers no handshake.
  const url = `ws://127.0.0.1:${way === 'POST' ? 1 : port}/ws`;
  const fallbackUrl = `http://127.0.0.1:${port}/events`;
  const client = createClient({ url, fallbackUrl, webSocket: WebSocket });
  const ids = Array.from({ length: count }, (_, at) => `${way}-${kbPerSecond}-${bytes}-${at}`);
  const sent = ids.map((id) => {
    const clientId = `${way}-${kbPerSecond}-${bytes}`;
    return client.send({ id, clientId, timestamp: 1, msg: 'x'.repeat(bytes - 100) });
  });
  const late = pause(55_000, 'late', { ref: false });
  const first = await Promise.race([Promise.all(sent), late]);
  assert.notEqual(first, 'late', `${ids[0]}: ${JSON.stringify(client.status)}`);
  void client.close();
  return ids;
}

test('at 4, 8, 16 and 64 kB/s, by POST and by WebSocket, short and long events are stored once, in order', async () => {
  const all = await Promise.all(
    ['POST', 'WebSocket'].flatMap((way) => [
      sendAll(way, 4, 60, 1_000),
      sendAll(way, 4, 1, 60_000),
      sendAll(way, 8, 100, 1_000),
      sendAll(way, 16, 250, 1_000),
      sendAll(way, 64, 250, 1_000),
      sendAll(way, 64, 20, 50_000),
    ]),
  );
  const records = await readTopic({ brokers, topic });
  const stored = records.map(({ value }) => (JSON.parse(String(value)) as { id: string }).id);
  for (const ids of all) {
    const wanted = new Set(ids);
    assert.deepEqual(
      stored.filter((id) => wanted.has(id)),
      ids,
    );
  }
});
