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
  assert.equal(crowd(1).windowBytesOf(), LIMITS.creditBytes);
  const promised = LIMITS.creditOvercommit * LIMIT;
  const full = promised / LIMITS.creditBytes;
  assert.equal(crowd(full).windowBytesOf(), LIMITS.creditBytes);
  assert.equal(crowd(2 * full).windowBytesOf(), LIMITS.creditBytes / 2);
  for (const connections of [1, 100, full, full + 1, 3 * full]) {
    const windowBytes = crowd(connections).windowBytesOf();
    assert(windowBytes * connections <= promised, `${connections} connections`);
  }
});

test('a window always holds the largest frame, for any number of connections and any budget', () => {
  assert.equal(crowd(20_000).windowBytesOf(), MAX_FRAME_BYTES);
  assert.equal(crowd(200, 4 * MIB).windowBytesOf(), MAX_FRAME_BYTES);
});

test('memory reserved for copies of requests is not granted', () => {
  const budget = new Budget(LIMIT);
  const credit = new Credit(budget, MAX_FRAME_BYTES);
  for (let count = 0; count < 600; count++) credit.join();
  const before = credit.windowBytesOf();
  budget.reserve(LIMIT / 2);
  assert.equal(credit.windowBytesOf(), Math.max(MAX_FRAME_BYTES, Math.floor(before / 2)));
});

test('closed connections enlarge the windows of the others', () => {
  const credit = crowd(1_200);
  const before = credit.windowBytesOf();
  for (let count = 0; count < 600; count++) credit.leave({ creditAvailable: () => {} });
  assert(credit.windowBytesOf() >= 2 * before);
});

test('above the high-water mark nothing rises; each waiting stream is notified once below it', () => {
  const budget = new Budget(LIMIT);
  const credit = new Credit(budget, MAX_FRAME_BYTES);
  const notified: string[] = [];
  const streams = ['a', 'b', 'gone'].map((name) => ({
    creditAvailable: () => void notified.push(name),
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
  assert.deepEqual(notified, [], 'at the low mark, not below it');
  budget.release(1);
  assert.deepEqual(notified, ['a', 'b']);
  budget.release(1);
  assert.deepEqual(notified, ['a', 'b']);
  assert(credit.mayRise(streams[0]!, false));
});
