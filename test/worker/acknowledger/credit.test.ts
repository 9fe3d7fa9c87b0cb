import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS, MIB } from '../../../src/config/limits.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';
import { Credit } from '../../../src/worker/acknowledger/credit.ts';

const MAX_FRAME_BYTES = 65_536;
const LIMIT = 64 * MIB;

function crowd(connections: number, limitBytes = LIMIT): Credit {
  const credit = new Credit(new Budget(limitBytes), MAX_FRAME_BYTES);
  for (let count = 0; count < connections; count++) credit.join();
  return credit;
}

test('a few connections have the largest window, more share the overcommitted buffer', () => {
  assert.equal(crowd(1).windowBytes, LIMITS.creditBytes);
  const promised = LIMITS.creditOvercommit * LIMIT;
  const full = promised / LIMITS.creditBytes;
  assert.equal(crowd(full).windowBytes, LIMITS.creditBytes);
  assert.equal(crowd(2 * full).windowBytes, LIMITS.creditBytes / 2);
  for (const connections of [1, 100, full, full + 1, 3 * full]) {
    const { windowBytes } = crowd(connections);
    assert(windowBytes * connections <= promised, `${connections} connections`);
  }
});

test('a window always holds the greatest frame, however many connections and however little', () => {
  assert.equal(crowd(20_000).windowBytes, MAX_FRAME_BYTES);
  assert.equal(crowd(200, 4 * MIB).windowBytes, MAX_FRAME_BYTES);
});

test('what is kept for copies of requests is not promised to anybody', () => {
  const budget = new Budget(LIMIT);
  const credit = new Credit(budget, MAX_FRAME_BYTES);
  for (let count = 0; count < 600; count++) credit.join();
  const before = credit.windowBytes;
  budget.reserve(LIMIT / 2);
  assert.equal(credit.windowBytes, Math.max(MAX_FRAME_BYTES, Math.floor(before / 2)));
});

test('connections that left make the window of the others larger again', () => {
  const credit = crowd(1_200);
  const before = credit.windowBytes;
  for (let count = 0; count < 600; count++) credit.leave({ creditAvailable: () => {} });
  assert(credit.windowBytes >= 2 * before);
});

test('while the buffer is pressed nothing rises; each that asked is told once when it may', () => {
  const budget = new Budget(LIMIT);
  const credit = new Credit(budget, MAX_FRAME_BYTES);
  const told: string[] = [];
  const streams = ['a', 'b', 'gone'].map((name) => ({
    creditAvailable: () => void told.push(name),
  }));
  for (const stream of streams) {
    credit.join();
    assert(credit.mayRise(stream, false));
  }
  const bytes = LIMIT * LIMITS.highWater.stop;
  assert(budget.charge(bytes));
  for (const stream of [...streams, ...streams]) assert(!credit.mayRise(stream, false));
  credit.leave(streams[2]!);
  budget.release(bytes - LIMIT * LIMITS.highWater.resume);
  assert.deepEqual(told, [], 'at the low mark, not below it');
  budget.release(1);
  assert.deepEqual(told, ['a', 'b']);
  budget.release(1);
  assert.deepEqual(told, ['a', 'b']);
  assert(credit.mayRise(streams[0]!, false));
});
