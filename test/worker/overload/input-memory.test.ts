import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KIB, MIB } from '../../../src/config/limits.ts';
import { type Allocation, InputMemory } from '../../../src/worker/overload/input-memory.ts';

/** A memory with a clock of its own, and the names of its evicted holders in their order. */
function setUp(limitBytes: number) {
  const time = { ms: 0 };
  const memory = new InputMemory(limitBytes, () => time.ms);
  const evicted: string[] = [];
  const hold = (name: string, bytes: number): Allocation => {
    const holding = memory.allocate(() => evicted.push(name));
    holding.resize(bytes);
    return holding;
  };
  return { memory, hold, evicted, time };
}

test('the sum of all holders is bounded; within the bound no holder is evicted', () => {
  const { memory, hold, evicted } = setUp(100);
  const first = hold('first', 60);
  const second = hold('second', 40);
  assert.deepEqual([memory.bytes, evicted.length], [100, 0]);
  first.resize(10);
  second.resize(90);
  assert.deepEqual([memory.bytes, first.bytes, second.bytes], [100, 10, 90]);
  first.release();
  first.release();
  first.resize(50);
  assert.deepEqual([memory.bytes, first.bytes, evicted], [90, 0, []], 'it is released for good');
});

test('of holders of one age the largest goes first, and no more than is needed', () => {
  const { memory, hold, evicted } = setUp(100 * KIB);
  hold('small', 10 * KIB);
  hold('large', 50 * KIB);
  hold('middle', 30 * KIB);
  const last = hold('last', 20 * KIB);
  assert.deepEqual([evicted, memory.bytes], [['large'], 60 * KIB]);
  last.resize(75 * KIB);
  assert.deepEqual(
    [evicted, memory.bytes],
    [['large', 'last'], 40 * KIB],
    'a holder may go itself',
  );
  assert.deepEqual([last.bytes, memory.evicted], [0, 2]);
});

test('of holders of one size the oldest goes first, in any order of their growth', () => {
  const { hold, evicted, time } = setUp(4 * MIB);
  const names = ['a', 'b', 'c', 'd'];
  const holdings = names.map((name) => hold(name, KIB));
  for (const index of [2, 0, 3, 1]) {
    time.ms += 100;
    holdings[index]!.resize(MIB);
  }
  for (const more of ['e', 'f', 'g']) hold(more, 0.9 * MIB);
  assert.deepEqual(evicted, ['c', 'a', 'd'], 'the time since it came to its size counts');
});

for (const [what, bytes] of [
  ['of its own size', MIB],
  ['half as large', 0.49 * MIB],
  ['a hundred times smaller', 10 * KIB],
] as const) {
  test(`a large body that arrives quickly is kept among old holders ${what}`, () => {
    const { memory, hold, evicted, time } = setUp(4 * MIB);
    for (let index = 0; index < Math.floor((4 * MIB) / bytes); index++) hold('old', bytes);
    time.ms += 10_000;
    const body = hold('body', KIB);
    for (let size = KIB; size <= MIB; size += KIB) body.resize(size);
    assert.equal(body.bytes, MIB);
    assert(memory.bytes <= memory.limitBytes, `${memory.bytes} bytes`);
    assert(evicted.length > 0 && !evicted.includes('body'), `${evicted}`);
  });
}

test('small holders outlast large ones, however old they are within reason', () => {
  const { hold, evicted, time } = setUp(4 * MIB);
  for (let index = 0; index < 100; index++) hold('phone', 4 * KIB);
  time.ms += 60_000;
  for (let round = 0; round < 20; round++) {
    hold('hog', MIB);
    time.ms += 1_000;
  }
  assert(evicted.length > 10 && !evicted.includes('phone'), `${evicted}`);
});

test('a holder that dribbles does not become young by it', () => {
  const { hold, evicted, time } = setUp(10_000);
  const dribbles = hold('dribbles', 4_100);
  time.ms += 1_000;
  hold('other', 4_100);
  for (let bytes = 4_100; bytes < 4_200; bytes++) dribbles.resize(bytes);
  hold('third', 3_000);
  assert.deepEqual(evicted, ['dribbles']);
});

test('evictions may change other holders meanwhile', () => {
  const memory = new InputMemory(100);
  const other = memory.allocate(() => assert.fail('it is released already'));
  const first = memory.allocate(() => other.release());
  first.resize(60);
  other.resize(40);
  const third = memory.allocate(() => {});
  third.resize(10);
  assert.equal(memory.bytes, 10);
});

test('memory can be taken back below the bound', () => {
  const { memory, hold, evicted } = setUp(100 * KIB);
  for (let index = 0; index < 10; index++) hold(`${index}`, 10 * KIB);
  memory.evictDownTo(35 * KIB);
  assert.deepEqual([evicted.length, memory.bytes], [7, 30 * KIB]);
  memory.evictDownTo(0);
  assert.deepEqual([evicted.length, memory.bytes], [10, 0]);
});

test('a pinned holder is charged and never evicted: the others give way', () => {
  const { memory, hold, evicted } = setUp(100);
  const pinned = hold('pinned', 70);
  pinned.pin();
  hold('other', 20);
  pinned.resize(90);
  assert.deepEqual([evicted, memory.bytes], [['other'], 90]);
  hold('next', 20);
  pinned.resize(200);
  assert.deepEqual([evicted, memory.bytes], [['other', 'next'], 200]);
  pinned.release();
  assert.equal(memory.bytes, 0);
});

test('a chunk costs the same however many holders there are', () => {
  const { memory, hold } = setUp(64 * MIB);
  const holders = Array.from({ length: 20_000 }, () => hold('', KIB));
  const startMs = performance.now();
  // Each evicts others from some point on.
  for (const holding of holders) for (let size = 1; size <= 16; size++) holding.resize(size * KIB);
  assert(performance.now() - startMs < 5_000, 'tens of milliseconds on a machine that is idle');
  assert(memory.bytes <= memory.limitBytes, `${memory.bytes} bytes`);
});

test('one holder may evict any number of others', () => {
  const { memory, hold, evicted, time } = setUp(MIB);
  const small = 16;
  const count = MIB / small;
  for (let index = 0; index < count; index++) hold('small', small);
  // Now each of them has cost more than a large one that has just come.
  time.ms += 2 * count;
  hold('large', MIB);
  assert.deepEqual([evicted.length, memory.evicted, memory.bytes], [count, count, MIB]);
});
