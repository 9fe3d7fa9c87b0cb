import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../src/config/limits.ts';
import { isRunning } from '../../testing/child.ts';
import { until } from '../../testing/wait.ts';
import {
  did,
  errorLines,
  host,
  messages,
  pidOf,
  readyHost,
  said,
  useHosts,
} from './fixtures/fake-host.ts';

useHosts();

test('a killed worker is replaced with growing delays; counters stay, events in flight are lost', async () => {
  const { child, has, signal } = await host('run', 1);
  for (const restartMs of [100, 200]) {
    const deaths = messages(child, 'worker died').length;
    const pid = pidOf(await child.line(did('listening'), deaths + 1));
    // Events in flight are known from the last report.
    await has('forebay_events_in_flight{worker="1",stream="default"} 3');
    process.kill(pid, 'SIGKILL');
    const died = await child.line(said('worker died'), deaths + 1);
    assert.equal(died.signal, 'SIGKILL');
    assert.equal(died.restartMs, restartMs);
    assert.equal(died.lost, 3);
    assert.equal(died.worker, 1);
  }
  const third = await child.line(did('listening'), 3);
  assert.equal(third.slot, 1);
  await has(
    'forebay_events_received_total{stream="default",transport="ws"} 30',
    'forebay_events_stored_total{stream="default"} 21',
    'forebay_events_lost_total{stream="default",cause="crash"} 6',
    'forebay_events_in_flight{worker="1",stream="default"} 3',
    'forebay_events_unaccounted{stream="default"} 0',
    'forebay_worker_restarts_total{cause="crash"} 2',
    'forebay_workers{state="ready"} 1',
  );
  signal('SIGTERM');
  assert.deepEqual(await child.ended, { code: 0, signal: null });
});

test('workers that die before they listen: gives up with one line and exit code 1', async () => {
  const { child } = await host('die', 1);
  assert.deepEqual(await child.ended, { code: 1, signal: null });
  assert.deepEqual(errorLines(child), [
    'forebay: giving up: workers exit before they listen (exit code 3)',
  ]);
  assert.deepEqual(
    messages(child, 'worker died').map((line) => line.restartMs),
    [100, 200, 400, 800, undefined],
  );
  assert.equal(child.lines().filter(did('started')).length, LIMITS.failedStartsMax);
});

test('a fatal start is one line for all workers, with its exit code', async () => {
  const { child } = await host('fatal', 2);
  assert.deepEqual(await child.ended, { code: 2, signal: null });
  assert.deepEqual(errorLines(child), ['forebay: the schema is wrong']);
  assert.deepEqual(messages(child, 'worker died'), []);
});

test('a worker that fails to start while the others do not know the topic: exit', async () => {
  const { child } = await host('lost', 2);
  process.kill(pidOf(await child.line(did('listening'), 2)), 'SIGUSR2');
  assert.deepEqual(await child.ended, { code: 2, signal: null });
  assert.deepEqual(errorLines(child), ['forebay: the schema is wrong']);
});

test('a new worker that fails to start while another serves: that one continues, and the slot retries', async () => {
  const { child, get, has } = await readyHost('run', 2);
  const [worker] = child.lines().filter(did('listening'));
  process.kill(pidOf(worker!), 'SIGUSR2');
  const line = await child.line(said('worker failed to start'));
  assert.deepEqual(
    [line.level, line.worker, line.workerPid, line.reason],
    ['error', worker!.slot, pidOf(worker!), 'the schema is wrong'],
  );
  const died = await child.line(said('worker died'));
  assert.deepEqual([died.worker, died.exitCode, died.restartMs], [worker!.slot, 2, 100]);
  await child.line(did('listening'), 3);
  await until(async () => (await get('/readyz')).status === 200);
  await has('forebay_worker_restarts_total{cause="crash"} 1');
  assert.deepEqual(child.lines().filter(did('drain')), []);
});

test('a worker that fails to start during a drain does not affect it', async () => {
  const { child, signal } = await readyHost('held', 2);
  const [one, other] = child.lines().filter(did('listening')).map(pidOf);
  signal('SIGTERM');
  await child.line(did('drain'), 2);
  process.kill(one!, 'SIGUSR2');
  await child.line(said('worker failed to start'));
  process.kill(other!, 'SIGUSR1');
  assert.deepEqual(await child.ended, { code: 1, signal: null });
  assert.deepEqual(messages(child, 'drain ended').length, 1);
});

for (const name of ['SIGTERM', 'SIGINT'] as const) {
  test(`${name}: the workers drain, exit code 0`, async () => {
    const { child, signal } = await host('run', 2);
    const started = await child.line(said('started'));
    assert.equal(started.workers, 2);
    const ready = await child.line(said('ready'));
    assert(typeof ready.sinceStartMs === 'number' && ready.sinceStartMs > 0);
    signal(name);
    assert.deepEqual(await child.ended, { code: 0, signal: null });
    const drains = child.lines().filter(did('drain'));
    assert.deepEqual(new Set(drains.map((line) => line.slot)), new Set([1, 2]));
    assert.equal((await child.line(said('drain ended'))).left, 0);
    assert.equal(child.stderr, '');
    assert(
      child
        .lines()
        .filter(did('started'))
        .every((line) => line.headers === '16384'),
    );
  });
}

test('a signal reaches workers that are still starting, exit code 0', async () => {
  const { child, signal } = await host('slow', 2);
  await child.line(did('started'), 2);
  signal('SIGTERM');
  await child.line(said('drain started'));
  const workers = child.lines().filter(did('started')).map(pidOf);
  for (const pid of workers) process.kill(pid, 'SIGUSR1');
  assert.deepEqual(await child.ended, { code: 0, signal: null });
  for (const pid of workers) {
    const first = child.lines().find((line) => line.fakePid === pid && line.message !== undefined);
    assert.equal(first?.fake, 'drain', 'its first message');
  }
});

test('a drain shows in /readyz and /metrics; a second signal ends it immediately', async () => {
  const { child, get, signal } = await readyHost('stuck', 2);
  assert.equal((await get('/readyz')).status, 200);
  signal('SIGINT');
  await child.line(did('drain'), 2);
  const readyz = await get('/readyz');
  assert.equal(readyz.status, 503);
  const { ready, reasons } = (await readyz.json()) as { ready: boolean; reasons: string[] };
  assert.deepEqual([ready, reasons], [false, ['draining']]);
  const metrics = await (await get('/metrics')).text();
  assert.match(metrics, /^forebay_draining 1$/m);
  assert.match(metrics, /^forebay_workers\{state="draining"\} 2$/m);
  signal('SIGINT');
  assert.deepEqual(await child.ended, { code: 1, signal: null });
  assert.equal(messages(child, 'second signal received, exiting immediately')[0]?.left, 6);
});

test('the deadline ends a drain with the count of unsettled events, exit code 1', async () => {
  const { child, signal } = await readyHost('stuck', 2, { FOREBAY_DRAIN_TIMEOUT_MS: '200' });
  signal('SIGTERM');
  assert.deepEqual(await child.ended, { code: 1, signal: null });
  assert.equal(messages(child, 'drain timed out')[0]?.left, 6);
  const drain = (await child.line(did('drain'))).message as { timeoutMs: number };
  assert(drain.timeoutMs <= 200);
});

test('a worker that dies instead of draining causes exit code 1', async () => {
  const { child, signal } = await readyHost('stuck', 1);
  signal('SIGTERM');
  process.kill(pidOf(await child.line(did('drain'))), 'SIGKILL');
  assert.deepEqual(await child.ended, { code: 1, signal: null });
  assert.equal(messages(child, 'drain ended')[0]?.left, 3);
});

test('an internal error of the primary is logged and ends it with exit code 1, and its workers', async () => {
  const { child } = await host('garbled', 1);
  assert.deepEqual(await child.ended, { code: 1, signal: null });
  const [line] = messages(child, 'internal error in the primary, exiting');
  assert.equal(line?.level, 'fatal');
  assert(line !== undefined);
  assert.equal((line.err as { type: string }).type, 'AssertionError');
  const pids = child.lines().filter(did('listening')).map(pidOf);
  await until(() => !pids.some(isRunning));
});

test('SIGKILL of the primary leaves no worker behind', async () => {
  const { child, signal } = await host('run', 2);
  await child.line(did('listening'), 2);
  const pids = child.lines().filter(did('listening')).map(pidOf);
  assert(pids.every(isRunning));
  signal('SIGKILL');
  await until(() => !pids.some(isRunning));
});

test('one worker administers the topic; all get its configuration, including new ones', async () => {
  const { child } = await host('run', 2);
  const topicAdmin = await child.line(did('topicAdmin'));
  await child.line(did('topicFacts'), 2);
  const facts = child.lines().filter(did('topicFacts'));
  assert.deepEqual(new Set(facts.map((line) => line.slot)), new Set([1, 2]));
  assert.deepEqual(facts[0]?.message, { type: 'topicFacts', facts: { maxMessageBytes: 4242 } });
  await child.line(said('ready'));
  assert.equal(child.lines().filter(did('topicAdmin')).length, 1);

  process.kill(pidOf(topicAdmin), 'SIGKILL');
  const next = await child.line(did('topicAdmin'), 2);
  assert.notEqual(next.slot, topicAdmin.slot);
  const replaced = await child.line(did('listening'), 3);
  await child.line((line) => did('topicFacts')(line) && pidOf(line) === pidOf(replaced));
  await child.line((line) => did('readiness')(line) && pidOf(line) === pidOf(replaced));
});
