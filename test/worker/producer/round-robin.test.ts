import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { noAnswer } from '../../../src/worker/producer/error-table.ts';
import { Lane } from '../../../src/worker/producer/lane.ts';
import { Turn } from '../../../src/worker/producer/round-robin.ts';
import { batchOfValues } from '../../../testing/batches.ts';

/** Lanes with one batch each, with a value of so many bytes. */
function lanesWith(...bytes: number[]): Lane[] {
  return bytes.map((count, partition) => {
    const lane = new Lane(partition);
    lane.setProducerId(1n, 0);
    lane.start(batchOfValues(['x'.repeat(count)]));
    return lane;
  });
}

/** Two attempts of `lane` end without an answer. */
function leaveUnanswered(lane: Lane): void {
  for (let count = 0; count < 2; count++) {
    lane.send(lane.notBeforeMs);
    lane.settle(noAnswer('request_timeout'), lane.notBeforeMs, 0);
  }
}

const always = () => true;
const partitions = (lanes: readonly Lane[]) => lanes.map(({ partition }) => partition);

test('all go when they fit', () => {
  const lanes = lanesWith(10, 10, 10);
  const turn = new Turn();
  for (let count = 0; count < 2; count++) {
    assert.deepEqual(partitions(turn.take(lanes, 10_000, always)), [0, 1, 2]);
  }
  assert.deepEqual(turn.take([], 10_000, always), []);
});

test('when they do not fit, the first that was left out comes first next time', () => {
  const lanes = lanesWith(100, 100, 100, 100, 100);
  const twoFit = 2 * lanes[0]!.head!.length;
  const turn = new Turn();
  const taken = Array.from({ length: 5 }, () => partitions(turn.take(lanes, twoFit, always)));
  assert.deepEqual(taken, [
    [0, 1],
    [2, 3],
    [4, 0],
    [1, 2],
    [3, 4],
  ]);
  assert.deepEqual(partitions(turn.take(lanes, twoFit + 1, always)), [0, 1], 'to the byte');
});

test('one that is larger than a request goes alone, in its turn', () => {
  const lanes = lanesWith(10, 5_000, 10);
  const turn = new Turn();
  const taken = Array.from({ length: 3 }, () => partitions(turn.take(lanes, 300, always)));
  assert.deepEqual(taken, [[0], [1], [2, 0]]);
});

test('one that nobody answered shares its request with no other, and has its turn', () => {
  const lanes = lanesWith(10, 10, 10, 10);
  leaveUnanswered(lanes[1]!);
  const turn = new Turn();
  const taken = Array.from({ length: 4 }, () => partitions(turn.take(lanes, 10_000, always)));
  assert.deepEqual(taken, [[0], [1], [2, 3, 0], [1]]);
});

test('whoever stays ready has its turn in as many requests as there are lanes', () => {
  const anyLanes = fc.array(
    fc.record({ bytes: fc.integer({ min: 1, max: 400 }), stuck: fc.boolean() }),
    { minLength: 1, maxLength: 8, size: 'max' },
  );
  const anyReady = fc.infiniteStream(fc.boolean());
  fc.assert(
    fc.property(anyLanes, anyReady, fc.nat(), (inputs, others, pick) => {
      const lanes = lanesWith(...inputs.map(({ bytes }) => bytes));
      for (const [index, { stuck }] of inputs.entries()) if (stuck) leaveUnanswered(lanes[index]!);
      const waiting = lanes[pick % lanes.length]!;
      const turn = new Turn();
      let requests = 1;
      const ready = (lane: Lane) => lane === waiting || others.next().value === true;
      while (!turn.take(lanes, 500, ready).includes(waiting)) {
        assert(++requests <= lanes.length, 'it is passed over');
      }
    }),
  );
});
