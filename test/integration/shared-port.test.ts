/** The port that workers share on the transport of Node.js, with many connections at once. */
import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { afterEach, test } from 'node:test';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { until } from '../../testing/wait.ts';
import { FakeCluster } from '../fakes/broker/cluster.ts';
import { RawHttp } from '../support/raw-http.ts';

const TOPIC = 'fake-events';
const CONNECTIONS = 200;
const TURN_MS = 25;
/** Handles of the listening socket in a worker. */
const HANDLES = 64;

let cluster: FakeCluster;
let gateway: Gateway | undefined;
const clients: RawHttp[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await gateway?.kill();
  await cluster.close();
});

/** Starts a gateway whose workers are busy for `TURN_MS` in each turn. */
async function startBusy(workers: number): Promise<Gateway> {
  cluster = await FakeCluster.start({ brokers: 1, topics: { [TOPIC]: 2 } });
  const preload = new URL('../fixtures/slow-turns.mjs', import.meta.url);
  gateway = await startGateway({
    brokers: cluster.addresses,
    topic: TOPIC,
    env: { FOREBAY_TRANSPORT: 'node', FOREBAY_WORKERS: String(workers) },
    nodeArgs: ['--import', `${preload.href}?${TURN_MS}`],
  });
  for (const worker of gateway.workers()) {
    await until(() => handlesOf(worker) >= HANDLES, { what: 'all handles' });
    process.kill(worker, 'SIGUSR2');
  }
  return gateway;
}

/** Returns the number of files of a process that are its most frequent socket. */
function handlesOf(pid: number): number {
  const counts = new Map<string, number>();
  for (const file of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const target = readlinkSync(`/proc/${pid}/fd/${file}`);
      counts.set(target, (counts.get(target) ?? 0) + 1);
    } catch {
      // Closed meanwhile.
    }
  }
  const sockets = [...counts].filter(([target]) => target.startsWith('socket:'));
  return Math.max(...sockets.map(([, count]) => count));
}

/** Sends a request on each of many new connections. */
async function requestAll({ port }: Gateway): Promise<void> {
  for (let count = 0; count < CONNECTIONS; count++) {
    const client = new RawHttp(port);
    clients.push(client);
    client.request('GET /livez', { Connection: 'close' });
  }
  for (const client of clients) await client.flushed();
}

async function allAnswered(): Promise<void> {
  for (const client of clients) await client.answers(1);
  const statuses = clients.flatMap((client) => client.statuses);
  assert.deepEqual(statuses, new Array(CONNECTIONS).fill(200));
}

test('a busy worker accepts many connections per turn', { timeout: 30_000 }, async () => {
  const busy = await startBusy(1);
  const sinceMs = performance.now();
  await requestAll(busy);
  await allAnswered();
  const ms = performance.now() - sinceMs;
  // One per turn would take twice as long or more.
  assert(ms < (CONNECTIONS * TURN_MS) / 2, `${ms} ms`);
});

for (const workers of [1, 2]) {
  const name = `the stop of ${workers} busy: connections that wait for their first turn are answered`;
  test(name, { timeout: 30_000 }, async () => {
    const busy = await startBusy(workers);
    await requestAll(busy);
    const stopped = busy.stop();
    await allAnswered();
    assert.deepEqual(await stopped, { code: 0, signal: null });
    assert.deepEqual(busy.errors, []);
  });
}
