/**
 * The gateway on other platforms. They are simulated: Node.js reports another platform and has no
 * kernel files, but it is that of this machine.
 */
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { FrameClient } from '../../testing/frame-client.ts';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { PATIENCE_MS, until } from '../../testing/wait.ts';
import { FakeCluster } from '../fakes/broker/cluster.ts';

const TOPIC = 'fake-events';
const EVENT = JSON.stringify({ msg: 'hello', clientId: 'c', timestamp: 1 });

let cluster: FakeCluster;
let gateway: Gateway | undefined;
afterEach(async () => {
  await gateway?.kill();
  await cluster.close();
});

/** Starts a gateway of two workers with options of Node.js. */
async function startWith(nodeArgs: readonly string[]): Promise<Gateway> {
  cluster = await FakeCluster.start({ brokers: 1, topics: { [TOPIC]: 2 } });
  gateway = await startGateway({
    brokers: cluster.addresses,
    topic: TOPIC,
    env: { FOREBAY_TRANSPORT: 'node', FOREBAY_WORKERS: '2' },
    nodeArgs,
  });
  return gateway;
}

/**
 * Starts a gateway as on `platform`. A simulated win32 takes no connections: parts of Node.js
 * itself then expect Windows.
 */
function start(platform: string): Promise<Gateway> {
  const preload = new URL('../fixtures/other-platform.mjs', import.meta.url);
  return startWith(['--import', `${preload.href}?${platform}`]);
}

async function sendEvents(from: Gateway): Promise<void> {
  const client = await FrameClient.open(from.wsUrl);
  assert.deepEqual(await client.exchange(EVENT), []);
  await client.close();
}

const post = (path: string) => fetch(`${gateway?.adminUrl}${path}`, { method: 'POST' });
const BYTES = { by: 'bytes' };
const NO_KERNEL = 'WebAssembly with SIMD is not available, validating events takes longer';
const logs = (text: string) =>
  until(() => gateway?.log.some(({ msg }) => msg === text), { what: `log line ${text}` });

describe('a simulated platform', { timeout: PATIENCE_MS }, () => {
  test('darwin: events are stored, workers replaced, and the end is clean', async () => {
    const started = await start('darwin');
    await sendEvents(started);
    const before = started.workers();
    assert.equal(before.length, 2);
    assert.equal((await post('/workers/restart')).status, 202);
    await logs('rolling restart completed');
    const after = started.workers();
    assert.deepEqual(
      before.filter((pid) => after.includes(pid)),
      [],
    );
    await sendEvents(started);
    assert.equal((await post('/drain')).status, 202);
    assert.deepEqual(await started.exit, { code: 0, signal: null });
    assert.deepEqual(started.errors, []);
  });

  test('win32: SIGHUP, the end of the console, stops the instance', async () => {
    const started = await start('win32');
    started.signal('SIGHUP');
    assert.deepEqual(await started.exit, { code: 0, signal: null });
  });

  test('darwin: SIGHUP replaces the workers', async () => {
    const started = await start('darwin');
    started.signal('SIGHUP');
    await logs('rolling restart completed');
    await sendEvents(started);
  });
});

test('without SIMD: events are decided by their bytes all the same, and one line says why it takes longer', async () => {
  const preload = new URL('../fixtures/no-simd.mjs', import.meta.url);
  const started = await startWith(['--import', preload.href]);
  await sendEvents(started);
  await logs(NO_KERNEL);
  const ofBytes = async () =>
    (await started.metrics()).value('forebay_events_decided_total', BYTES);
  await until(async () => (await ofBytes()) > 0, { what: 'an event decided by its bytes' });
  const lines = started.log.filter(({ msg }) => msg === NO_KERNEL);
  assert.equal(lines.length, 1, 'once for both workers');
  assert.match(String(lines[0]?.reason), /SIMD/);
  assert.equal((await started.stop()).code, 0);
});
