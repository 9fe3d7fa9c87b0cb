import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LIMITS } from '../../src/limits.ts';
import { LoopLag } from '../../src/worker/loop-lag.ts';
import { until } from '../support/wait.ts';

const HELD_MS = 500;

test('a loop that was held shows for how long, once, also when it was asked just before', async (t) => {
  const lag = new LoopLag();
  const startMs = performance.now();
  lag.start();
  t.after(() => lag.stop());
  await sleep(5 * LIMITS.loopLookMs);
  lag.takeSeconds();
  assert.equal(lag.takeSeconds(), 0, 'it begins anew');
  const heldAtMs = performance.now();
  while (performance.now() - heldAtMs < HELD_MS);
  // By then it has looked: at the end of its pause, and that is over before this one.
  await sleep(2 * LIMITS.loopLookMs);
  const allMs = performance.now() - startMs;
  const lateMs = lag.takeSeconds() * 1000;
  // When it began was between two looks.
  const least = HELD_MS - LIMITS.loopLookMs;
  assert(lateMs >= least && lateMs <= allMs, `${lateMs} of ${allMs} ms late`);
  await until(() => lag.takeSeconds() * 1000 < least, { everyMs: 50 });
});
