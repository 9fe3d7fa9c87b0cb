import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { before, test } from 'node:test';
import { AcknowledgedClient } from '../support/client.ts';
import { startGateway } from '../support/gateway.ts';
import { sharedKafka, uniqueTopic } from '../support/kafka.ts';
import { acknowledgedClients, allSettled, closeAll, Load } from '../support/load.ts';
import { freshMetrics } from '../support/stage.ts';
import { missingTool } from '../support/tools.ts';
import { until } from '../support/wait.ts';

const FILES = 128;
const CONNECTIONS = 200;

let brokers: readonly string[];
before(async () => {
  ({ brokers } = await sharedKafka());
});

test('a worker that may open no more files serves whom it has, reports, and takes others later', {
  skip: missingTool('prlimit'),
}, async (t) => {
  const wrapper = ['prlimit', `--nofile=${FILES}`];
  const gateway = await startGateway({ brokers, topic: uniqueTopic(), wrapper });
  t.after(() => gateway.kill());
  const [worker] = gateway.workers() as [number];
  const clients = await acknowledgedClients(t, 4, { url: gateway.wsUrl });
  const load = new Load(t, clients, { eventsPerSecond: 200, prefix: 'a-' });
  const idle = Array.from({ length: CONNECTIONS }, () => {
    return new AcknowledgedClient({ url: gateway.wsUrl, reconnect: true });
  });
  t.after(() => closeAll(idle));
  const opening = Promise.allSettled(idle.map((client) => client.open()));
  const files = () => readdirSync(`/proc/${worker}/fd`).length;
  await until(() => files() >= FILES, { what: () => `${FILES} files, not ${files()}` });
  // It has reported twice since then, and its clients are answered.
  const stored = async () => (await freshMetrics(gateway)).value('forebay_events_stored_total');
  const before = await stored();
  assert((await stored()) > before);
  assert(files() >= FILES);
  assert.deepEqual(gateway.workers(), [worker]);
  const waiting = idle.filter(({ connected }) => !connected).length;
  assert(waiting > 0 && waiting < CONNECTIONS, `${waiting} wait`);
  await closeAll(idle.filter(({ connected }) => connected));
  await opening;
  await until(() => files() < FILES);
  await load.stop();
  await allSettled(clients);
  for (const client of clients) assert.deepEqual(client.closes, [], 'nobody was thrown out');
  assert.deepEqual([gateway.workers(), gateway.errors], [[worker], []]);
  await closeAll([...clients, ...idle]);
  assert.equal((await gateway.stop()).code, 0);
});
