import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Schedule } from '../../../bench/load/schedule.ts';

function takeAll(schedule: Schedule, elapsedMs: number): number[] {
  const taken: number[] = [];
  for (;;) {
    const packet = schedule.next(elapsedMs);
    if (packet === undefined) return taken;
    taken.push(packet);
  }
}

test('packets are due evenly, by the clock, and once each', () => {
  const schedule = new Schedule(2_000, 4, 10);
  assert.equal(schedule.packets, 20);
  assert.deepEqual(takeAll(schedule, 0), [0]);
  assert.deepEqual(takeAll(schedule, 0.4), []);
  assert.deepEqual(takeAll(schedule, 1), [1, 2]);
  assert.equal(schedule.dueMs(7), 3.5);
});

test('packets missed by a sleeping pacer are due at once; nothing is due after the end', () => {
  const schedule = new Schedule(1_000, 1, 5);
  assert.deepEqual(takeAll(schedule, 1_000), [0, 1, 2, 3, 4]);
  assert.equal(schedule.over, true);
  assert.deepEqual(takeAll(schedule, 2_000), []);
});

test('an empty load is a valid schedule', () => {
  assert.deepEqual(takeAll(new Schedule(0, 8, 1_000), 1_000), []);
});

test('the due time of the nth packet of a connection is known', () => {
  const schedule = new Schedule(700, 3, 1_000);
  for (const packet of takeAll(schedule, 1_000)) {
    const nth = Math.floor(packet / 3);
    const dueMs = schedule.dueOfMs(schedule.connectionOf(packet), nth);
    assert.equal(dueMs, schedule.dueMs(packet));
  }
});
