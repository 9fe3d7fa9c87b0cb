import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LIMITS } from '../../src/config/limits.ts';
import { LoopLag } from '../../src/worker/loop-lag.ts';
import { until } from '../../testing/wait.ts';

const HELD_MS = 500;
const { idleMs, busyMs } = LIMITS.loopCheck;

test('a loop that was held shows for how long, once, also when it was asked just before', async (t) => {
  const lag = new LoopLag();
  const startMs = performance.now();
  lag.start();
  t.after(() => lag.stop());
  await sleep(2 * idleMs);
  lag.takeSeconds();
  assert.equal(lag.takeSeconds(), 0, 'it starts again');
  const heldAtMs = performance.now();
  while (performance.now() - heldAtMs < HELD_MS);
  // By then it has looked: at the end of its pause, and that is over before this one.
  await sleep(2 * idleMs);
  const allMs = performance.now() - startMs;
  const lateMs = lag.takeSeconds() * 1000;
  // When it began was between two looks.
  const least = HELD_MS - idleMs;
  assert(lateMs >= least && lateMs <= allMs, `${lateMs} of ${allMs} ms late`);
  await until(() => lag.takeSeconds() * 1000 < least, { everyMs: 50 });
});

test('a busy loop is looked at more often than an idle one', async (t) => {
  const looks: number[] = [];
  const { setTimeout: real } = globalThis;
  t.mock.method(globalThis, 'setTimeout', (action: () => void, ms: number) => {
    looks.push(ms);
    return real(action, ms);
  });
  const lag = new LoopLag();
  lag.start();
  t.after(() => lag.stop());
  await until(() => looks.length >= 3);
  assert.deepEqual(looks.slice(0, 1), [idleMs], 'at first it is taken for idle');
  const held = setInterval(() => {
    const sinceMs = performance.now();
    while (performance.now() - sinceMs < 5);
  }, 1);
  await until(() => looks.at(-1) === busyMs);
  clearInterval(held);
  await until(() => looks.at(-1) === idleMs);
});
