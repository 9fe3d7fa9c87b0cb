import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { LIMITS } from '../../src/config/limits.ts';
import type { WorkerStatus } from '../../src/ipc.ts';
import type { DeferredLog } from '../../src/primary/deferred-log.ts';
import { RollingRestart } from '../../src/primary/rolling-restart.ts';
import { DRAIN_GRACE_MS } from '../../src/primary/stop.ts';
import type { Supervisor } from '../../src/primary/supervisor.ts';
import { type Child, isRunning, type Line } from '../../testing/child.ts';
import { until } from '../../testing/wait.ts';
import {
  did,
  errorLines,
  messages,
  pidOf,
  readyHost,
  said,
  useHosts,
} from './fixtures/fake-host.ts';

useHosts();

const BEGUN = 'rolling restart started';
const ENDED = 'rolling restart completed';
const GIVEN_UP = 'rolling restart aborted';

/** A ready primary; `mode` is the mode of later workers. */
async function rolling(
  t: TestContext,
  workers: number,
  first = 'run',
  env: Record<string, string> = {},
) {
  const dir = mkdtempSync(join(tmpdir(), 'forebay-roll-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const file = join(dir, 'mode');
  const mode = (next: string) => writeFileSync(file, next);
  mode(first);
  const started = await readyHost(first, workers, { FAKE_MODE_FILE: file, ...env });
  return { ...started, mode };
}

const pids = (child: Child) => child.lines().filter(did('listening')).map(pidOf);
/** Actions of workers and messages of the primary, in order: `did slot` or the message. */
const story = (child: Child, from: number, words: readonly string[]) =>
  child
    .lines()
    .slice(from)
    .map((line: Line) => (line.fake === undefined ? String(line.msg) : `${line.fake} ${line.slot}`))
    .filter((word) => words.includes(word));

test('SIGHUP: a new worker listens before the old one drains, one slot after the other', async (t) => {
  const { child, get, has, signal } = await rolling(t, 2);
  const before = pids(child);
  const from = child.lines().length;
  signal('SIGHUP');
  await child.line(said(ENDED));
  const steps = ['open 1', 'drain 1', 'open 2', 'drain 2'];
  assert.deepEqual(story(child, from, steps), steps);
  const replaced = messages(child, 'worker replaced');
  assert.deepEqual(new Set(replaced.map((line) => line.predecessorPid)), new Set(before));
  assert.deepEqual(
    replaced.map(({ worker, left, level }) => [worker, left, level]),
    [
      [1, 0, 'info'],
      [2, 0, 'info'],
    ],
  );
  assert(!before.some(isRunning));
  assert.equal((await get('/readyz')).status, 200);
  assert.deepEqual(messages(child, 'not ready'), []);
  assert.deepEqual(messages(child, 'worker died'), []);
  await has(
    'forebay_events_received_total{stream="default",transport="ws"} 40',
    'forebay_events_stored_total{stream="default"} 34',
    'forebay_events_in_flight{worker="1",stream="default"} 3',
    'forebay_events_lost_total{stream="default",cause="crash"} 0',
    'forebay_events_unaccounted{stream="default"} 0',
    'forebay_worker_restarts_total{cause="crash"} 0',
    'forebay_workers{state="ready"} 2',
    'forebay_workers{state="draining"} 0',
  );
  signal('SIGTERM');
  assert.deepEqual(await child.ended, { code: 0, signal: null });
});

test('two workers share a slot while the first one drains; another worker administers the topic', async (t) => {
  const { child, get, has, mode } = await rolling(t, 1, 'held');
  const [before] = pids(child);
  mode('run');
  assert.equal((await get('/workers/restart', 'POST')).status, 202);
  await child.line(did('drain'));
  const steward = await child.line(did('topicAdmin'), 2);
  assert.notEqual(pidOf(steward), before);
  await has(
    'forebay_workers{state="ready"} 1',
    'forebay_workers{state="draining"} 1',
    'forebay_events_in_flight{worker="1",stream="default"} 6',
    'forebay_events_unaccounted{stream="default"} 0',
  );
  assert.equal((await get('/readyz')).status, 200);
  // At most one more restart is queued.
  for (const restart of ['queued', 'queued']) {
    const answer = await get('/workers/restart', 'POST');
    assert.deepEqual(await answer.json(), { restart });
  }
  process.kill(before!, 'SIGUSR1');
  await child.line(said(ENDED), 2);
  assert.deepEqual(
    messages(child, BEGUN).map(({ cause }) => cause),
    ['POST /workers/restart', 'POST /workers/restart'],
  );
  assert.equal(pids(child).length, 3);
});

for (const [kind, mode, reason] of [
  ['cannot run', 'fatal', /^the schema is wrong$/],
  ['dies', 'die', /^the new worker died before it could take over$/],
] as const) {
  test(`a new worker that ${kind}: the restart is aborted, the serving worker stays`, async (t) => {
    const { child, get, mode: set, signal } = await rolling(t, 2);
    const before = pids(child);
    set(mode);
    // The second restart begins the moment the first one is aborted.
    for (const restart of ['begun', 'queued']) {
      const answer = await get('/workers/restart', 'POST');
      assert.deepEqual(await answer.json(), { restart });
    }
    await child.line(said(GIVEN_UP), 2);
    for (const line of messages(child, GIVEN_UP)) {
      assert.deepEqual([line.level, line.worker], ['error', 1]);
      assert.match(String(line.reason), reason);
    }
    assert.equal((await get('/readyz')).status, 200);
    assert(before.every(isRunning));
    assert.equal(child.lines().filter(did('drain')).length, 0);
    const isShown = async () => /^Rolling restart aborted/.test(await summary(get));
    if (kind === 'cannot run') await until(isShown);
    set('run');
    signal('SIGHUP');
    await child.line(said(ENDED));
    if (kind === 'cannot run') await until(async () => !(await isShown()));
    assert(!before.some(isRunning));
    assert.deepEqual(errorLines(child), []);
  });
}

/** Text of the live view's summary. */
async function summary(get: (path: string) => Promise<Response>): Promise<string> {
  const reader = (await get('/live')).body!.getReader();
  let text = '';
  while (!/^data: .*\n\n/m.test(text))
    text += Buffer.from((await reader.read()).value ?? []).toString();
  await reader.cancel();
  const { status } = JSON.parse(/^data: (.*)$/m.exec(text)![1]!) as {
    status: { summary: { text: string } };
  };
  return status.summary.text;
}

/** A restart of one slot with worker 1; its replacement is worker 2. */
function alone({ attached = [1, 2], predecessor = [1] } = {}) {
  const done: string[] = [];
  const supervisor = {
    serving: () => [1],
    attached: () => attached,
    replace: () => 2,
    pid: () => 0,
    kill: (worker: number) => done.push(`kill ${worker}`),
    handOver: () => predecessor[0],
    send: (worker: number, { type }: { type: string }) => done.push(`${type} ${worker}`),
  } as unknown as Supervisor;
  const log = { write: (...[, , message]: Parameters<DeferredLog['write']>) => done.push(message) };
  const roll = new RollingRestart({
    drainTimeoutMs: 25_000,
    startTimeoutMs: 30_000,
    log: log as unknown as DeferredLog,
    supervisor,
    handedOver: () => {},
  });
  assert.equal(roll.request('a test'), 'begun');
  return { roll, did: () => done.splice(0) };
}

const listens = { listening: true, kafkaReached: false } as WorkerStatus;

test('a silent new worker is killed after a timeout, and the restart aborted', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { roll, did } = alone();
  t.mock.timers.tick(29_999);
  assert.deepEqual(did(), [BEGUN]);
  t.mock.timers.tick(1);
  assert.deepEqual(did(), ['kill 2', GIVEN_UP]);
  assert.equal(roll.died(2, 0), true, 'its death is no news');
  const { reason, sinceMs = 0 } = roll.failure ?? {};
  assert.equal(reason, 'the new worker does not listen after 30000 ms');
  assert(Math.abs(Date.now() - sinceMs) < 60_000);
  roll.request('a test');
  assert.equal(roll.failure, undefined, 'another one has begun');
});

test('without Kafka a new worker takes over some time after it listens', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { roll, did } = alone();
  roll.status(2, listens);
  t.mock.timers.tick(LIMITS.replacementTopicMs - 1);
  roll.status(2, listens);
  assert.deepEqual(did(), [BEGUN]);
  t.mock.timers.tick(1);
  assert.deepEqual(did(), ['drain 1']);
  roll.drained(1, 0);
  assert.equal(roll.died(1, 0), true);
  assert.deepEqual(did(), ['worker replaced', ENDED]);
});

test('a worker that does not drain in time is killed, and its death is reported', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { roll, did } = alone();
  roll.status(2, { ...listens, kafkaReached: true });
  t.mock.timers.tick(25_000 + DRAIN_GRACE_MS - 1);
  assert.deepEqual(did(), [BEGUN, 'drain 1']);
  t.mock.timers.tick(1);
  assert.deepEqual(did(), ['kill 1']);
  assert.equal(roll.died(1, 3), false);
  assert.deepEqual(did(), ['worker replaced', ENDED]);
});

const FIT = { listening: true, kafkaReached: true } as WorkerStatus;

test('a worker still starting when its replacement is ready is killed: it would not receive drain', () => {
  const { roll, did } = alone({ attached: [2] });
  roll.status(2, FIT);
  assert.deepEqual(did(), [BEGUN, 'kill 1']);
  assert.equal(roll.died(1, 0), true, 'as was to be expected');
  assert.deepEqual(did(), ['worker replaced', ENDED]);
});

test('a replacement killed just as it became ready does not take over', () => {
  const { roll, did } = alone({ predecessor: [] });
  roll.status(2, FIT);
  assert.deepEqual(did(), [BEGUN, GIVEN_UP]);
  assert.equal(roll.failure?.reason, 'the new worker was killed before it could take over');
});

test('a worker that dies during its replacement: the new one takes over immediately', async (t) => {
  const { child, get, mode, signal } = await rolling(t, 2, 'run');
  const slotOne = child.lines().find((line) => did('listening')(line) && line.slot === 1);
  mode('slow');
  signal('SIGHUP');
  const slow = await child.line((line) => did('started')(line) && line.slot === 1, 2);
  process.kill(pidOf(slotOne!), 'SIGKILL');
  const died = await child.line(said('worker died'));
  assert.deepEqual([died.workerPid, died.restartMs], [pidOf(slotOne!), 0]);
  mode('run');
  process.kill(pidOf(slow), 'SIGUSR1');
  await child.line(said(ENDED));
  assert.equal(pids(child).length, 4);
  assert.equal((await get('/readyz')).status, 200);
});

test('a stop cancels a restart, and rejects later ones', async (t) => {
  const { child, get, mode, signal } = await rolling(t, 2, 'held');
  const before = pids(child);
  mode('run');
  signal('SIGHUP');
  await child.line(did('drain'));
  signal('SIGTERM');
  await child.line(said('drain started'));
  signal('SIGHUP');
  const line = await child.line(said('rolling restart ignored, instance is stopping'));
  assert.equal(line.cause, 'SIGHUP');
  assert.equal((await get('/workers/restart', 'POST')).status, 503);
  await child.line(did('drain'), 4);
  for (const pid of before) process.kill(pid, 'SIGUSR1');
  assert.deepEqual(await child.ended, { code: 0, signal: null });
  assert.deepEqual(messages(child, ENDED), []);
});
