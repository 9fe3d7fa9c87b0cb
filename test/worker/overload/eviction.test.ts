import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS, MIB } from '../../../src/config/limits.ts';
import { Eviction } from '../../../src/worker/overload/eviction.ts';
import { InputMemory } from '../../../src/worker/overload/input-memory.ts';

const OWN = 40 * MIB;
const { ownGrowthBytes } = LIMITS.memoryLimit;

/** An eviction with bodies of 1 MiB, and a given amount of memory outside heap and buffers. */
function setUp(bodies: number, otherBytes = 0) {
  const input = new InputMemory(64 * MIB);
  for (let body = 0; body < bodies; body++) input.allocate(() => {}).resize(MIB);
  const asked: number[] = [];
  const connections = {
    closeSilent: (bytes: number) => {
      asked.push(bytes);
      return 7;
    },
  };
  const rest = { heapTotal: 20 * MIB, heapUsed: 0, external: 5 * MIB, arrayBuffers: 0 };
  const usage = { ...rest, rss: OWN + 25 * MIB };
  let collections = 0;
  const eviction = new Eviction(
    input,
    connections,
    () => usage,
    () => collections++,
  );
  usage.rss += otherBytes;
  return { eviction, input, asked, collections: () => collections };
}

test('bodies are evicted first, as many as needed; then garbage is collected', () => {
  const { eviction, input, asked, collections } = setUp(10, 100 * MIB);
  assert.equal(eviction.reclaim(4 * MIB), 4);
  assert.deepEqual([input.bytes, asked], [6 * MIB, []]);
  assert.equal(collections(), 0, 'other memory explains it');
  const heap = setUp(10);
  assert.equal(heap.eviction.reclaim(4 * MIB), 4);
  assert.equal(heap.eviction.reclaim(4 * MIB), 4);
  assert.equal(heap.collections(), 1, 'not with every check');
});

test('input of clients that send little is not evicted', () => {
  const { eviction, input } = setUp(1);
  const frame = input.allocate(() => assert.fail('too small to be evicted'));
  frame.resize(LIMITS.memoryLimit.evictedBytesMin / 2);
  assert.equal(eviction.reclaim(10 * MIB), 1);
  assert.equal(input.bytes, frame.bytes);
});

test('memory not held by bodies is reclaimed from WebSockets', () => {
  const { eviction, input, asked } = setUp(3, 100 * MIB);
  assert.equal(eviction.reclaim(10 * MIB), 3 + 7);
  assert.deepEqual([input.bytes, asked], [0, [7 * MIB]]);
});

test('no WebSocket is ended for memory of heap and buffers, or of the process itself', () => {
  const { eviction, asked } = setUp(0, ownGrowthBytes);
  assert.equal(eviction.reclaim(10 * MIB), 0);
  assert.deepEqual(asked, []);
});

test('where the size of partial messages is known, no WebSocket is ended for other memory', () => {
  const usage = { rss: OWN, heapTotal: 0, external: 0, heapUsed: 0, arrayBuffers: 0 };
  const input = new InputMemory(64 * MIB);
  input.allocate(() => {}).resize(MIB);
  const eviction = new Eviction(input, undefined, () => usage);
  usage.rss += 100 * MIB;
  assert.equal(eviction.reclaim(10 * MIB), 1);
  assert.equal(eviction.reclaim(10 * MIB), 0);
});

test('garbage can be collected in a process started without the flag', () => {
  const { closeSilent } = { closeSilent: () => 0 };
  new Eviction(new InputMemory(MIB), { closeSilent: closeSilent }).reclaim(MIB);
});
