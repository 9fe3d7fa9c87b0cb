import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rates } from '../../../src/cli/listen/rates.ts';

const TIME = new Date('2026-11-25T10:00:00.000Z');

function rates(json: boolean, counts: Record<number, number>): Rates {
  const made = new Rates({ json, colors: undefined });
  made.begin(5_000);
  for (const [partition, count] of Object.entries(counts)) {
    for (let i = 0; i < count; i++) made.count(Number(partition));
  }
  return made;
}

test('per second of elapsed time, partitions in order', () => {
  const line = rates(false, { 10: 30, 2: 3 }).line(7_000, TIME);
  assert.equal(line, '2026-11-25T10:00:00.000Z\t17/s\t2:1.5 10:15\n');
});

test('each line starts over; no events are a total of 0 and no partition', () => {
  const made = rates(false, { 0: 5 });
  assert.equal(made.line(6_000, TIME), '2026-11-25T10:00:00.000Z\t5.0/s\t0:5.0\n');
  assert.equal(made.line(7_000, TIME), '2026-11-25T10:00:00.000Z\t0.0/s\t\n');
});

test('json: numbers', () => {
  assert.deepEqual(JSON.parse(rates(true, { 3: 4, 1: 100 }).line(6_000, TIME)), {
    time: '2026-11-25T10:00:00.000Z',
    eventsPerSecond: 104,
    partitions: { 1: 100, 3: 4 },
  });
});

test('no elapsed time gives no infinite rate', () => {
  assert.match(rates(false, { 0: 1 }).line(5_000, TIME), /\t1000\/s\t/);
});
