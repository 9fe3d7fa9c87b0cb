import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../src/config/limits.ts';
import { Liveness } from '../../src/primary/liveness.ts';

const { workerChecks, startTimeouts } = LIMITS;

function setUp() {
  const hung: number[] = [];
  const watch = new Liveness(2_000, (worker) => hung.push(worker));
  const check = (times: number) => {
    for (let i = 0; i < times; i++) watch.check();
  };
  return { hung, watch, check };
}

test('a worker silent for too many checks counts as hung, reported once', () => {
  const { hung, watch, check } = setUp();
  watch.begin(1);
  watch.begin(2);
  watch.received(1);
  watch.received(2);
  check(workerChecks);
  watch.received(2);
  assert.deepEqual(hung, []);
  check(1);
  assert.deepEqual(hung, [1]);
  check(workerChecks - 1);
  assert.deepEqual(hung, [1]);
  check(1);
  assert.deepEqual(hung, [1, 2]);
  check(workerChecks * startTimeouts);
  assert.deepEqual(hung, [1, 2]);
});

test('a starting worker has longer, until its first message', () => {
  const { hung, watch, check } = setUp();
  watch.begin(1);
  watch.begin(2);
  check(workerChecks * startTimeouts);
  watch.received(2);
  assert.deepEqual(hung, []);
  check(1);
  assert.deepEqual(hung, [1]);
  check(workerChecks);
  assert.deepEqual(hung, [1, 2]);
});

test('a worker that has exited does not count as hung, and its late messages are ignored', () => {
  const { hung, watch, check } = setUp();
  watch.begin(1);
  watch.received(1);
  watch.end(1);
  watch.received(1);
  check(workerChecks * startTimeouts + 1);
  assert.deepEqual(hung, []);
});

test('a stall of the primary is one check, however long', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { hung, watch } = setUp();
  t.after(() => watch.stop());
  watch.begin(1);
  watch.received(1);
  watch.start();
  t.mock.timers.tick(2_000);
  watch.received(1);
  assert.deepEqual(hung, []);
  t.mock.timers.tick(2_000 + 2_000 / workerChecks);
  assert.deepEqual(hung, [1]);
});
