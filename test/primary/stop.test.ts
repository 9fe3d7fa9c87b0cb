import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRunning } from '../../testing/child.ts';
import { did, messages, pidOf, readyHost, said, useHosts } from './fixtures/fake-host.ts';

useHosts();

test('FOREBAY_PRESTOP_MS: not ready immediately, drained later, with the timeout counted from then', async () => {
  const env = { FOREBAY_PRESTOP_MS: '4000', FOREBAY_DRAIN_TIMEOUT_MS: '500' };
  const { child, get, has, signal } = await readyHost('run', 1, env);
  const startMs = performance.now();
  signal('SIGTERM');
  await child.line(said('stop requested'));
  const readyz = await get('/readyz');
  assert.deepEqual([readyz.status, (await readyz.json()).reasons], [503, ['draining']]);
  await has('forebay_draining 1', 'forebay_workers{state="ready"} 1');
  // Until then a dead worker is replaced.
  process.kill(pidOf(await child.line(did('listening'))), 'SIGKILL');
  await child.line(did('listening'), 2);
  assert.equal(child.lines().filter(did('drain')).length, 0);
  assert.deepEqual(await child.ended, { code: 0, signal: null });
  assert(performance.now() - startMs >= 3_990, 'not before its time');
  const drain = (await child.line(did('drain'))).message as { timeoutMs: number };
  assert(drain.timeoutMs > 400, `${drain.timeoutMs} ms`);
});

test('a second signal ends it immediately, also before the drain', async () => {
  const { child, signal } = await readyHost('run', 1, { FOREBAY_PRESTOP_MS: '60000' });
  signal('SIGTERM');
  await child.line(said('stop requested'));
  signal('SIGTERM');
  assert.deepEqual(await child.ended, { code: 1, signal: null });
  assert.equal(child.lines().filter(did('drain')).length, 0);
});

test('POST /drain stops it like a signal; neither a repetition nor the first signal shortens it', async () => {
  const { child, get, signal } = await readyHost('held', 1);
  for (let i = 0; i < 2; i++) assert.equal((await get('/drain', 'POST')).status, 202);
  assert.equal((await child.line(said('drain started'))).cause, 'POST /drain');
  const drain = await child.line(did('drain'));
  signal('SIGTERM');
  await child.line(said('signal ignored, instance is already stopping'));
  process.kill(pidOf(drain), 'SIGUSR1');
  assert.deepEqual(await child.ended, { code: 0, signal: null });
  assert.deepEqual(messages(child, 'second signal received, exiting immediately'), []);
});

test('after POST /drain the second signal ends it immediately', async () => {
  const { child, get, signal } = await readyHost('held', 1);
  await get('/drain', 'POST');
  await child.line(did('drain'));
  signal('SIGTERM');
  await child.line(said('signal ignored, instance is already stopping'));
  signal('SIGTERM');
  assert.deepEqual(await child.ended, { code: 1, signal: null });
  assert.equal(messages(child, 'second signal received, exiting immediately').length, 1);
});

test('a primary that was suspended kills no worker', async () => {
  const { child, get, signal } = await readyHost('run', 2, { FOREBAY_WORKER_TIMEOUT_MS: '2000' });
  const workers = child.lines().filter(did('listening')).map(pidOf);
  signal('SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 2_600));
  signal('SIGCONT');
  assert.equal((await get('/readyz')).status, 200);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert(workers.every(isRunning));
  assert.deepEqual(messages(child, 'unresponsive worker killed'), []);
});
