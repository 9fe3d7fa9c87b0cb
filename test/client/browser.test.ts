/**
 * The client in a real browser, with a real gateway and Kafka, through the events of a page's life.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { missingTool } from '../../testing/tools.ts';
import { readTopic } from '../../testing/topic.ts';
import { until } from '../../testing/wait.ts';
import { CutProxy } from '../page/cut-proxy.ts';
import { ClientPage } from './client-page.ts';

const skip = missingTool('chromium');
const topic = uniqueTopic('client');
/** Events are in flight long enough to be caught there. */
const env = { KAFKA_LINGER_MS: '300' };
let brokers: readonly string[];
let gateway: Gateway;
let proxy: CutProxy;
let client: ClientPage;
/** All ids reported as stored, in all tests. */
const promised = new Set<string>();
let made = 0;

before(async () => {
  if (skip) return;
  ({ brokers } = await sharedKafka());
  gateway = await startGateway({ brokers, topic, env });
  proxy = await new CutProxy(gateway.port).listen();
  client = await ClientPage.open(proxy.url);
});
after(async () => {
  await client?.close();
  proxy?.close();
  await gateway?.kill();
});

function ids(count: number): string[] {
  return Array.from({ length: count }, () => `c${++made}`);
}

async function storedIds(): Promise<string[]> {
  const records = await readTopic({ brokers, topic });
  return records.map(({ value }) => (JSON.parse(String(value)) as { id: string }).id);
}

/** Waits until Kafka has each, reported or not. */
async function inKafka(expected: readonly string[]): Promise<void> {
  const all = async () => {
    const stored = new Set(await storedIds());
    return expected.every((id) => stored.has(id));
  };
  await until(all, { everyMs: 200, what: `${expected.length} events in the topic` });
}

/** Waits for their acks, and records the reports. */
async function acknowledged(expected: readonly string[]): Promise<void> {
  await client.stored(expected, 30_000);
  for (const id of expected) promised.add(id);
}

test('under a strict CSP, by a module script from the gateway: events are stored', {
  skip,
}, async () => {
  const sent = ids(3);
  await client.send(sent);
  await acknowledged(sent);
  assert.deepEqual(client.shown.complaints, []);
  assert.equal((await client.status()).state, 'open');
});

test('offline and back: events sent meanwhile are stored when the network is back', {
  skip,
}, async () => {
  await client.page.context().setOffline(true);
  proxy.cut();
  const sent = ids(20);
  await client.send(sent);
  await until(async () => (await client.status()).state === 'connecting');
  await until(async () => (await client.status()).waiting === 20);
  const { reconnects } = await client.status();
  await client.page.context().setOffline(false);
  await acknowledged(sent);
  assert((await client.status()).reconnects > reconnects, 'on a new connection');
});

test('a worker killed: unacknowledged events are resent', { skip }, async () => {
  const sent = ids(10);
  await client.send(sent);
  await until(async () => (await client.status()).unacknowledged === 10, { everyMs: 1 });
  for (const worker of gateway.workers()) process.kill(worker, 'SIGKILL');
  await acknowledged(sent);
});

test('the gateway drained and restarted', { skip }, async () => {
  const sent = ids(10);
  await client.send(sent);
  assert.equal((await gateway.stop()).code, 0);
  const meanwhile = ids(10);
  await client.send(meanwhile);
  const ports = [gateway.port, gateway.adminPort] as const;
  gateway = await startGateway({ brokers, topic, env, ports });
  await acknowledged([...sent, ...meanwhile]);
});

test('blocked WebSockets: by POST, and by WebSocket again once they are unblocked', {
  skip,
}, async () => {
  proxy.blocksWebSockets = true;
  proxy.cut();
  await until(async () => (await client.status()).state !== 'open');
  const sent = ids(10);
  await client.send(sent);
  await acknowledged(sent);
  assert.equal((await client.status()).state, 'fallback');
  const bad = ids(1);
  await client.send(bad, { timestamp: 'never' });
  await until(async () => (await client.told())[bad[0]!] === 'schema');
  proxy.blocksWebSockets = false;
  await until(async () => (await client.status()).state === 'open');
  const more = ids(10);
  await client.send(more);
  await acknowledged(more);
});

test('a slow network, 400 ms each way: acks arrive, nothing is sent twice', { skip }, async () => {
  proxy.delayMs = 400;
  const sent = ids(500);
  const before = await client.status();
  for (let part = 0; part < 5; part++) await client.send(sent.slice(part * 100, part * 100 + 100));
  await acknowledged(sent);
  proxy.delayMs = 0;
  const { ackMs, reconnects } = await client.status();
  assert((ackMs ?? 0) > 800, `an ack took ${ackMs} ms`);
  assert.equal(reconnects, before.reconnects);
  const stored = await storedIds();
  for (const id of sent) assert.equal(stored.filter((other) => other === id).length, 1, id);
});

test('the clock set back and forth: events are stored, ids increase', { skip }, async () => {
  const sent = ids(4);
  for (const [index, id] of sent.entries()) {
    await client.page.evaluate(
      (shift) => {
        const real = performance.timeOrigin;
        Date.now = () => Math.round(real + performance.now()) + shift;
      },
      (index % 2 ? -1 : 1) * 3_600_000,
    );
    await client.send([id]);
  }
  await acknowledged(sent);
});

test('in a Worker', { skip }, async () => {
  const sent = ids(3);
  await client.page.evaluate((all) => {
    const worker = new Worker('/app.js', { type: 'module' });
    const held = window as unknown as { worker: Worker; workerTold: Record<string, string> };
    held.worker = worker;
    worker.onmessage = ({ data }) => {
      held.workerTold = data;
    };
    for (const id of all) worker.postMessage(id);
  }, sent);
  await until(
    async () => {
      const told = await client.page.evaluate(() => {
        const held = window as unknown as { worker: Worker; workerTold?: Record<string, string> };
        held.worker.postMessage('told');
        return held.workerTold ?? {};
      });
      return sent.every((id) => told[id] === 'stored');
    },
    { everyMs: 50, what: 'acks in the worker' },
  );
  for (const id of sent) promised.add(id);
});

test('reload: events of the same moment are sent with the page', { skip }, async () => {
  const sent = ids(20);
  await client.page.evaluate((all) => {
    for (const id of all) app.send(id);
    location.reload();
  }, sent);
  await inKafka(sent);
  await until(() => client.status().catch(() => undefined), { what: 'the page again' });
});

test('tab closed: events sent just before are stored', { skip }, async () => {
  const sent = ids(20);
  const tab = await client.page.context().newPage();
  await client.load(tab);
  await tab.waitForFunction(() => 'app' in window);
  await tab.evaluate((all) => {
    for (const id of all) app.send(id);
  }, sent);
  await tab.close();
  await inKafka(sent);
});

test('finally all events reported as stored are in Kafka, and rejected ones are not', {
  skip,
}, async () => {
  const stored = new Set(await storedIds());
  assert(promised.size > 500, `${promised.size} were promised`);
  assert.deepEqual(
    [...promised].filter((id) => !stored.has(id)),
    [],
  );
  const told = Object.entries(await client.told());
  assert.deepEqual(
    told.filter(([id, fate]) => fate === 'schema' && stored.has(id)),
    [],
  );
});

declare const app: { send(id: string): void };
