import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Partition } from '../../../src/worker/accumulator/topic.ts';
import { noAnswer } from '../../../src/worker/producer/error-table.ts';
import { RoundRobin } from '../../../src/worker/producer/round-robin.ts';
import { batchOfValues, topicOf } from '../../../testing/batches.ts';

/** Returns partitions whose lanes have one batch each, with values of these sizes. */
function partitionsWith(...bytes: number[]): readonly Partition[] {
  const { partitions } = topicOf(bytes.length);
  for (const { lane, number } of partitions) {
    lane.setProducerId(1n, 0);
    lane.start(batchOfValues(['x'.repeat(bytes[number]!)]));
  }
  return partitions;
}

/** Ends two attempts of the partition without a response. */
function leaveUnanswered({ lane }: Partition): void {
  for (let count = 0; count < 2; count++) {
    lane.send(lane.notBeforeMs);
    lane.settle(noAnswer('request_timeout'), lane.notBeforeMs, 0);
  }
}

const always = () => true;
const numbers = (partitions: readonly Partition[]) => partitions.map(({ number }) => number);

test('all partitions are sent when they fit', () => {
  const partitions = partitionsWith(10, 10, 10);
  const roundRobin = new RoundRobin();
  for (let count = 0; count < 2; count++) {
    assert.deepEqual(numbers(roundRobin.choose(partitions, 10_000, always)), [0, 1, 2]);
  }
  assert.deepEqual(roundRobin.choose([], 10_000, always), []);
});

test('otherwise, the first one left out is first next time', () => {
  const partitions = partitionsWith(100, 100, 100, 100, 100);
  const twoFit = 2 * partitions[0]!.lane.head!.length;
  const roundRobin = new RoundRobin();
  const taken = Array.from({ length: 5 }, () =>
    numbers(roundRobin.choose(partitions, twoFit, always)),
  );
  assert.deepEqual(taken, [
    [0, 1],
    [2, 3],
    [4, 0],
    [1, 2],
    [3, 4],
  ]);
  assert.deepEqual(
    numbers(roundRobin.choose(partitions, twoFit + 1, always)),
    [0, 1],
    'to the byte',
  );
});

test('a batch larger than a request is sent alone, in its turn', () => {
  const partitions = partitionsWith(10, 5_000, 10);
  const roundRobin = new RoundRobin();
  const taken = Array.from({ length: 3 }, () =>
    numbers(roundRobin.choose(partitions, 300, always)),
  );
  assert.deepEqual(taken, [[0], [1], [2, 0]]);
});

test('a partition without responses shares its request with no other, and has its turn', () => {
  const partitions = partitionsWith(10, 10, 10, 10);
  leaveUnanswered(partitions[1]!);
  const roundRobin = new RoundRobin();
  const taken = Array.from({ length: 4 }, () =>
    numbers(roundRobin.choose(partitions, 10_000, always)),
  );
  assert.deepEqual(taken, [[0], [1], [2, 3, 0], [1]]);
});

test('a ready lane is served within as many requests as there are lanes', () => {
  const anyLanes = fc.array(
    fc.record({ bytes: fc.integer({ min: 1, max: 400 }), stuck: fc.boolean() }),
    { minLength: 1, maxLength: 8, size: 'max' },
  );
  const anyReady = fc.infiniteStream(fc.boolean());
  fc.assert(
    fc.property(anyLanes, anyReady, fc.nat(), (inputs, others, pick) => {
      const partitions = partitionsWith(...inputs.map(({ bytes }) => bytes));
      for (const [index, { stuck }] of inputs.entries())
        if (stuck) leaveUnanswered(partitions[index]!);
      const waiting = partitions[pick % partitions.length]!;
      const roundRobin = new RoundRobin();
      let requests = 1;
      const ready = (each: Partition) => each === waiting || others.next().value === true;
      while (!roundRobin.choose(partitions, 500, ready).includes(waiting)) {
        assert(++requests <= partitions.length, 'it is passed over');
      }
    }),
  );
});
