import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KIB, MIB } from '../../../src/config/limits.ts';
import { type Allocation, InputMemory } from '../../../src/worker/overload/input-memory.ts';

/** A memory with its own clock, and the names of evicted allocations in order. */
function setUp(limitBytes: number) {
  const time = { ms: 0 };
  const memory = new InputMemory(limitBytes, () => time.ms);
  const evicted: string[] = [];
  const allocate = (name: string, bytes: number): Allocation => {
    const allocation = memory.allocate(() => evicted.push(name));
    allocation.resize(bytes);
    return allocation;
  };
  return { memory, hold: allocate, evicted, time };
}

test('the sum of all allocations is bounded; within the bound none is evicted', () => {
  const { memory, hold: allocate, evicted } = setUp(100);
  const first = allocate('first', 60);
  const second = allocate('second', 40);
  assert.deepEqual([memory.bytes, evicted.length], [100, 0]);
  first.resize(10);
  second.resize(90);
  assert.deepEqual([memory.bytes, first.bytes, second.bytes], [100, 10, 90]);
  first.release();
  first.release();
  first.resize(50);
  assert.deepEqual([memory.bytes, first.bytes, evicted], [90, 0, []], 'it is released for good');
});

test('of allocations of one age the largest is evicted first, and only as many as needed', () => {
  const { memory, hold: allocate, evicted } = setUp(100 * KIB);
  allocate('small', 10 * KIB);
  allocate('large', 50 * KIB);
  allocate('middle', 30 * KIB);
  const last = allocate('last', 20 * KIB);
  assert.deepEqual([evicted, memory.bytes], [['large'], 60 * KIB]);
  last.resize(75 * KIB);
  assert.deepEqual(
    [evicted, memory.bytes],
    [['large', 'last'], 40 * KIB],
    'an allocation may evict itself',
  );
  assert.deepEqual([last.bytes, memory.evicted], [0, 2]);
});

test('of allocations of one size the oldest is evicted first, in any order of growth', () => {
  const { hold: allocate, evicted, time } = setUp(4 * MIB);
  const names = ['a', 'b', 'c', 'd'];
  const holdings = names.map((name) => allocate(name, KIB));
  for (const index of [2, 0, 3, 1]) {
    time.ms += 100;
    holdings[index]!.resize(MIB);
  }
  for (const more of ['e', 'f', 'g']) allocate(more, 0.9 * MIB);
  assert.deepEqual(evicted, ['c', 'a', 'd'], 'the time since it reached its size counts');
});

for (const [what, bytes] of [
  ['of its own size', MIB],
  ['half as large', 0.49 * MIB],
  ['a hundred times smaller', 10 * KIB],
] as const) {
  test(`a large body that arrives quickly is kept among old allocations ${what}`, () => {
    const { memory, hold: allocate, evicted, time } = setUp(4 * MIB);
    for (let index = 0; index < Math.floor((4 * MIB) / bytes); index++) allocate('old', bytes);
    time.ms += 10_000;
    const body = allocate('body', KIB);
    for (let size = KIB; size <= MIB; size += KIB) body.resize(size);
    assert.equal(body.bytes, MIB);
    assert(memory.bytes <= memory.limitBytes, `${memory.bytes} bytes`);
    assert(evicted.length > 0 && !evicted.includes('body'), `${evicted}`);
  });
}

test('small allocations outlast large ones, at any reasonable age', () => {
  const { hold: allocate, evicted, time } = setUp(4 * MIB);
  for (let index = 0; index < 100; index++) allocate('phone', 4 * KIB);
  time.ms += 60_000;
  for (let round = 0; round < 20; round++) {
    allocate('hog', MIB);
    time.ms += 1_000;
  }
  assert(evicted.length > 10 && !evicted.includes('phone'), `${evicted}`);
});

test('slow growth does not make an allocation young', () => {
  const { hold: allocate, evicted, time } = setUp(10_000);
  const dribbles = allocate('dribbles', 4_100);
  time.ms += 1_000;
  allocate('other', 4_100);
  for (let bytes = 4_100; bytes < 4_200; bytes++) dribbles.resize(bytes);
  allocate('third', 3_000);
  assert.deepEqual(evicted, ['dribbles']);
});

test('evictions may change other allocations', () => {
  const memory = new InputMemory(100);
  const other = memory.allocate(() => assert.fail('already released'));
  const first = memory.allocate(() => other.release());
  first.resize(60);
  other.resize(40);
  const third = memory.allocate(() => {});
  third.resize(10);
  assert.equal(memory.bytes, 10);
});

test('memory can be reclaimed below the bound', () => {
  const { memory, hold: allocate, evicted } = setUp(100 * KIB);
  for (let index = 0; index < 10; index++) allocate(`${index}`, 10 * KIB);
  memory.evictDownTo(35 * KIB);
  assert.deepEqual([evicted.length, memory.bytes], [7, 30 * KIB]);
  memory.evictDownTo(0);
  assert.deepEqual([evicted.length, memory.bytes], [10, 0]);
});

test('a pinned allocation is charged and never evicted: others are evicted instead', () => {
  const { memory, hold: allocate, evicted } = setUp(100);
  const pinned = allocate('pinned', 70);
  pinned.pin();
  allocate('other', 20);
  pinned.resize(90);
  assert.deepEqual([evicted, memory.bytes], [['other'], 90]);
  allocate('next', 20);
  pinned.resize(200);
  assert.deepEqual([evicted, memory.bytes], [['other', 'next'], 200]);
  pinned.release();
  assert.equal(memory.bytes, 0);
});

test('the cost of a chunk does not depend on the number of allocations', () => {
  const { memory, hold: allocate } = setUp(64 * MIB);
  const allocations = Array.from({ length: 20_000 }, () => allocate('', KIB));
  const startMs = performance.now();
  // Each evicts others from some point on.
  for (const allocation of allocations)
    for (let size = 1; size <= 16; size++) allocation.resize(size * KIB);
  assert(performance.now() - startMs < 5_000, 'tens of milliseconds on an idle machine');
  assert(memory.bytes <= memory.limitBytes, `${memory.bytes} bytes`);
});

test('one allocation may evict any number of others', () => {
  const { memory, hold: allocate, evicted, time } = setUp(MIB);
  const small = 16;
  const count = MIB / small;
  for (let index = 0; index < count; index++) allocate('small', small);
  // Now each of them costs more than a large one that has just arrived.
  time.ms += 2 * count;
  allocate('large', MIB);
  assert.deepEqual([evicted.length, memory.evicted, memory.bytes], [count, count, MIB]);
});
