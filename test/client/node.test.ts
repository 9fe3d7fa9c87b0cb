/** The client in Node.js, with the WebSocket of `ws`, with a real gateway and Kafka. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { type Client, createClient, type SendError } from '../../src/client/client.ts';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { readTopic, testKafka } from '../../testing/topic.ts';
import { until } from '../../testing/wait.ts';
import { CutProxy } from '../page/cut-proxy.ts';

const topic = uniqueTopic('client');
const folder = mkdtempSync(join(tmpdir(), 'forebay-client-'));
const env = { FOREBAY_STREAMS_FILE: join(folder, 'streams.json') };
const STREAMS = {
  version: 1,
  streams: {
    default: {
      topic,
      create: { partitions: 6, replication: 1 },
      schema: { file: 'event.json' },
      key: { field: 'clientId' },
      headers: ['event-id', 'resent'],
    },
  },
};
const SCHEMA = { type: 'object', properties: { timestamp: { type: 'integer' } } };
let brokers: readonly string[];
let gateway: Gateway;
let proxy: CutProxy;
let client: Client;
const told = new Map<string, string>();
/** Events that may be stored twice: their first ack was lost, or may have been. */
const uncertain = new Set<string>();
let made = 0;

before(async () => {
  ({ brokers } = await sharedKafka());
  writeFileSync(env.FOREBAY_STREAMS_FILE, JSON.stringify(STREAMS));
  writeFileSync(join(folder, 'event.json'), JSON.stringify(SCHEMA));
  gateway = await startGateway({ brokers, topic, env });
  proxy = await new CutProxy(gateway.port).listen();
  client = createClient({ url: `${proxy.url.replace('http', 'ws')}/ws`, webSocket: WebSocket });
});
after(async () => {
  proxy?.close();
  await client?.close();
  await gateway?.kill();
  rmSync(folder, { recursive: true });
});

/** Sends this many events. @returns a promise that all are settled */
async function send(count: number, fields: object = {}): Promise<string[]> {
  const ids = Array.from({ length: count }, () => `n${++made}`);
  const event = { msg: 'x', clientId: 'node', timestamp: 1, ...fields };
  const ends = ids.map((id) =>
    client.send({ id, ...event }).then(
      () => told.set(id, 'stored'),
      ({ code }: SendError) => told.set(id, code),
    ),
  );
  await Promise.all(ends);
  return ids;
}

/** Sends continuously during an action, and for a while afterwards. */
async function under(fault: () => Promise<unknown>): Promise<void> {
  let over = false;
  const load = (async () => {
    while (!over) for (const id of await send(50)) uncertain.add(id);
    for (const id of await send(50)) uncertain.add(id);
  })();
  try {
    await fault();
  } finally {
    over = true;
  }
  await load;
}

test('events are stored, invalid ones are rejected with their code', async () => {
  await send(100);
  const bad = await send(1, { timestamp: 'never' });
  assert.equal(told.get(bad[0]!), 'schema');
  assert.equal(client.status.stored, 100);
});

test('a network outage, and lost responses', async () => {
  const { reconnects } = client.status;
  await under(async () => {
    for (let round = 1; round <= 3; round++) {
      proxy.loseAnswers();
      await until(() => client.status.unacknowledged > 0);
      // The gateway has stored events without an ack.
      await until(async () => {
        const metrics = await gateway.metrics();
        return metrics.value('forebay_events_stored_total') > client.status.stored;
      });
      proxy.cut();
      // Open again: earlier, pending acks may arrive, but responses must not be lost.
      await until(() => client.status.reconnects >= reconnects + round);
      const { stored } = client.status;
      await until(() => client.status.stored > stored);
    }
  });
  assert(client.status.reconnects >= reconnects + 3, `${client.status.reconnects} reconnects`);
});

test('workers killed, and the gateway drained and restarted', async () => {
  await under(async () => {
    for (const worker of gateway.workers()) process.kill(worker, 'SIGKILL');
    const { stored } = client.status;
    await until(() => client.status.stored > stored, { deadlineMs: 60_000 });
    assert.equal((await gateway.stop()).code, 0);
    const ports = [gateway.port, gateway.adminPort] as const;
    gateway = await startGateway({ brokers, topic, env, ports });
  });
});

test('blocked WebSockets: by POST, and back', async () => {
  proxy.blocksWebSockets = true;
  await under(async () => {
    proxy.cut();
    await until(() => client.status.state === 'fallback');
  });
  proxy.blocksWebSockets = false;
  await until(() => client.status.state === 'open');
  await send(50);
});

test('finally events reported as stored are there, rejected ones are not, nothing twice except for lost acks', async () => {
  const count = new Map<string, number>();
  for (const { value } of await readTopic({ brokers, topic })) {
    const { id } = JSON.parse(String(value)) as { id: string };
    count.set(id, (count.get(id) ?? 0) + 1);
  }
  assert.equal(told.size, made, 'each has its end');
  const wrong = [...told].filter(([id, fate]) => (fate === 'stored') !== count.has(id));
  assert.deepEqual(wrong, []);
  const twice = [...count].filter(([id, times]) => times > 1 && !uncertain.has(id));
  assert.deepEqual(twice, []);
  const { sent, stored, refused, dropped, bufferedBytes } = client.status;
  const counts = { sent: made, stored: made - 1, refused: 1, dropped: 0, bufferedBytes: 0 };
  assert.deepEqual({ sent, stored, refused, dropped, bufferedBytes }, counts);
});

test('of all copies of an event, at most one has no mark', async () => {
  const count = (await readTopic({ brokers, topic })).length;
  const records: { readonly id: string; readonly isMarked: boolean }[] = [];
  const consumer = testKafka(brokers).consumer({ groupId: topic });
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message: { value, headers = {} } }) => {
        assert.equal(JSON.parse(String(value)).id, String(headers['fb-id']));
        records.push({ id: String(headers['fb-id']), isMarked: 'fb-resent' in headers });
      },
    });
    await until(() => records.length === count, { what: `${count} records` });
  } finally {
    await consumer.disconnect();
  }
  const unmarked = records.filter(({ isMarked }) => !isMarked).map(({ id }) => id);
  assert.equal(new Set(unmarked).size, unmarked.length, 'an id has two unmarked copies');
  assert(count > made - 1, 'events were stored twice');
  assert(unmarked.length < count, 'repeats are marked');
});
