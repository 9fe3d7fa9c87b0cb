import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../src/config/limits.ts';
import { HangWatch } from '../../src/primary/liveness.ts';

const { workerLooks, startTimeouts } = LIMITS;

function setUp() {
  const hung: number[] = [];
  const watch = new HangWatch(2_000, (worker) => hung.push(worker));
  const look = (times: number) => {
    for (let i = 0; i < times; i++) watch.look();
  };
  return { hung, watch, look };
}

test('a worker that was silent for too many looks hangs; it is told once', () => {
  const { hung, watch, look } = setUp();
  watch.begin(1);
  watch.begin(2);
  watch.heard(1);
  watch.heard(2);
  look(workerLooks);
  watch.heard(2);
  assert.deepEqual(hung, []);
  look(1);
  assert.deepEqual(hung, [1]);
  look(workerLooks - 1);
  assert.deepEqual(hung, [1]);
  look(1);
  assert.deepEqual(hung, [1, 2]);
  look(workerLooks * startTimeouts);
  assert.deepEqual(hung, [1, 2]);
});

test('one that starts has longer, until its first word', () => {
  const { hung, watch, look } = setUp();
  watch.begin(1);
  watch.begin(2);
  look(workerLooks * startTimeouts);
  watch.heard(2);
  assert.deepEqual(hung, []);
  look(1);
  assert.deepEqual(hung, [1]);
  look(workerLooks);
  assert.deepEqual(hung, [1, 2]);
});

test('what has ended does not hang, and is not heard any more', () => {
  const { hung, watch, look } = setUp();
  watch.begin(1);
  watch.heard(1);
  watch.end(1);
  watch.heard(1);
  look(workerLooks * startTimeouts + 1);
  assert.deepEqual(hung, []);
});

test('a stall of the primary is one look, however long', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { hung, watch } = setUp();
  t.after(() => watch.stop());
  watch.begin(1);
  watch.heard(1);
  watch.start();
  t.mock.timers.tick(2_000);
  watch.heard(1);
  assert.deepEqual(hung, []);
  t.mock.timers.tick(2_000 + 2_000 / workerLooks);
  assert.deepEqual(hung, [1]);
});
