import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS, MIB } from '../../../src/config/limits.ts';
import { Eviction } from '../../../src/worker/overload/eviction.ts';
import { InputMemory } from '../../../src/worker/overload/input-memory.ts';

const OWN = 40 * MIB;
const { ownGrowthBytes } = LIMITS.memoryMark;

/** A relief with bodies of 1 MiB, and so much memory beside heap and buffers. */
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
  const relief = new Eviction(
    input,
    connections,
    () => usage,
    () => collections++,
  );
  usage.rss += otherBytes;
  return { relief, input, asked, collections: () => collections };
}

test('bodies are evicted first, as many as are needed; then garbage is collected', () => {
  const { relief, input, asked, collections } = setUp(10, 100 * MIB);
  assert.equal(relief.reclaim(4 * MIB), 4);
  assert.deepEqual([input.bytes, asked], [6 * MIB, []]);
  assert.equal(collections(), 0, 'what other memory there is explains it');
  const heap = setUp(10);
  assert.equal(heap.relief.reclaim(4 * MIB), 4);
  assert.equal(heap.relief.reclaim(4 * MIB), 4);
  assert.equal(heap.collections(), 1, 'not with every look');
});

test('input of clients that send little is spared', () => {
  const { relief, input } = setUp(1);
  const frame = input.allocate(() => assert.fail('it is not the cause'));
  frame.resize(LIMITS.memoryMark.evictedBytesMin / 2);
  assert.equal(relief.reclaim(10 * MIB), 1);
  assert.equal(input.bytes, frame.bytes);
});

test('what bodies do not hold is taken back from WebSockets', () => {
  const { relief, input, asked } = setUp(3, 100 * MIB);
  assert.equal(relief.reclaim(10 * MIB), 3 + 7);
  assert.deepEqual([input.bytes, asked], [0, [7 * MIB]]);
});

test('no WebSocket is ended for memory that heap and buffers hold, or the process itself', () => {
  const { relief, asked } = setUp(0, ownGrowthBytes);
  assert.equal(relief.reclaim(10 * MIB), 0);
  assert.deepEqual(asked, []);
});

test('garbage can be collected, in a process that was started without an option for it', () => {
  const { closeSilent } = { closeSilent: () => 0 };
  new Eviction(new InputMemory(MIB), { closeSilent: closeSilent }).reclaim(MIB);
});
