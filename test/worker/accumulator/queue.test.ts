import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../src/config/limits.ts';
import type { RecordBatch } from '../../../src/worker/accumulator/batch.ts';
import { PartitionQueue } from '../../../src/worker/accumulator/queue.ts';
import { batchOf, valuesOf } from '../../../testing/batches.ts';

const LINGER_MS = 10;
const TIMEOUT_MS = 5_000;

function batch(name: string, arrivalMs: number): RecordBatch {
  return batchOf([{ value: Buffer.from(name), timestamp: 1 }], { arrivalMs });
}

/** A queue of closed batches and a final open one, which arrived 1 ms apart from 100 on. */
function queueOf(...names: string[]): PartitionQueue {
  const queue = new PartitionQueue();
  for (const [index, name] of names.entries()) {
    if (queue.open !== undefined) queue.close();
    queue.begin(batch(name, 100 + index));
  }
  return queue;
}

const names = (queue: PartitionQueue) => {
  const found: string[] = [];
  queue.walk((each) => found.push(...valuesOf(each)));
  return found;
};
const nameOf = (taken: RecordBatch | undefined) => taken && valuesOf(taken)[0];

test('an open batch is due after the linger, and taking it closes it', () => {
  const queue = queueOf('a');
  assert.equal(queue.dueMs(LINGER_MS), 110);
  assert.equal(nameOf(queue.take()), 'a');
  assert.equal(queue.open, undefined);
  assert.equal(queue.empty, true);
});

test('a closed batch is due at once, the open one after it is not', () => {
  const queue = queueOf('a', 'b');
  assert.equal(queue.dueMs(LINGER_MS), 0);
  assert.equal(nameOf(queue.take()), 'a');
  assert.equal(queue.dueMs(LINGER_MS), 111);
  assert.deepEqual(names(queue), ['b']);
});

test('an empty queue is never due', () => {
  const queue = queueOf();
  assert.equal(queue.empty, true);
  assert.equal(queue.dueMs(0), Number.POSITIVE_INFINITY);
  assert.equal(queue.take(), undefined);
  assert.equal(queue.takeExpired(1e9, 0), undefined);
});

test('batches are taken in the order in which they were opened', () => {
  const queue = queueOf('a', 'b', 'c');
  assert.deepEqual(names(queue), ['a', 'b', 'c']);
  const taken = [1, 2, 3].map(() => nameOf(queue.take()));
  assert.deepEqual(taken, ['a', 'b', 'c']);
});

test('an open batch is closed once it is older than batchOpenMsMax', () => {
  const queue = queueOf('a');
  queue.closeOlderThan(100 + LIMITS.batchOpenMsMax);
  assert.notEqual(queue.open, undefined);
  queue.closeOlderThan(101 + LIMITS.batchOpenMsMax);
  assert.equal(queue.open, undefined);
  assert.deepEqual(names(queue), ['a']);
  queue.closeOlderThan(1e9);
});

test('expired batches are taken oldest first, younger ones stay', () => {
  const queue = queueOf('a', 'b', 'c');
  assert.equal(queue.takeExpired(99 + TIMEOUT_MS, TIMEOUT_MS), undefined);
  assert.equal(nameOf(queue.takeExpired(101 + TIMEOUT_MS, TIMEOUT_MS)), 'a');
  assert.equal(nameOf(queue.takeExpired(101 + TIMEOUT_MS, TIMEOUT_MS)), 'b');
  assert.equal(queue.takeExpired(101 + TIMEOUT_MS, TIMEOUT_MS), undefined);
  assert.equal(nameOf(queue.takeExpired(102 + TIMEOUT_MS, TIMEOUT_MS)), 'c');
  assert.equal(queue.empty, true);
});

test('there is one open batch, and an empty queue cannot be closed', () => {
  const queue = queueOf('a');
  assert.throws(() => queue.begin(batch('b', 1)), assert.AssertionError);
  assert.throws(() => queueOf().close(), assert.AssertionError);
});

test('a batch queued after younger ones expires in time', () => {
  for (const isClosed of [true, false]) {
    const queue = new PartitionQueue();
    queue.begin(batch('younger', 1_000));
    queue.close();
    queue.begin(batch('older', 100));
    if (isClosed) queue.close();
    assert.equal(queue.takeExpired(100 + TIMEOUT_MS - 1, TIMEOUT_MS), undefined);
    assert.equal(nameOf(queue.takeExpired(100 + TIMEOUT_MS, TIMEOUT_MS)), 'older');
    assert.equal(queue.takeExpired(100 + TIMEOUT_MS, TIMEOUT_MS), undefined);
    assert.deepEqual(names(queue), ['younger']);
  }
});
