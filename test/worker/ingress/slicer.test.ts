import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fifo, type SlicedTask, Slicer } from '../../../src/worker/ingress/slicer.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
/** Time for any number of slices. */
const MUCH = { workUntilMs: Number.POSITIVE_INFINITY };
/** Time for one slice. */
const LITTLE = { workUntilMs: 0 };

/** A task of some slices, which records each. */
function work(name: string, slices: number, ran: string[], isInput = false): SlicedTask {
  let done = 0;
  return {
    isInput,
    next: () => {
      ran.push(`${name}${done}`);
      return ++done < slices;
    },
    failed: (error) => ran.push(`${name} failed: ${(error as Error).message}`),
  };
}

test('without queued input, one slice per turn of the event loop, round-robin', async () => {
  const slicer = new Slicer(MUCH);
  const ran: string[] = [];
  slicer.add(work('a', 3, ran));
  slicer.add(work('b', 2, ran));
  assert.deepEqual(ran, [], 'nothing before the end of the turn');
  for (let turns = 1; turns <= 5; turns++) {
    await turn();
    assert.equal(ran.length, turns);
  }
  await turn();
  assert.deepEqual(ran, ['a0', 'a1', 'b0', 'a2', 'b1']);
  slicer.add(work('c', 1, ran));
  await turn();
  assert.equal(ran.at(-1), 'c0', 'it starts again');
});

test('queued input gets as many slices per turn as time allows, at least one', async () => {
  for (const [time, turns] of [
    [MUCH, 1],
    [LITTLE, 5],
  ] as const) {
    const slicer = new Slicer(time);
    const ran: string[] = [];
    slicer.add(work('a', 3, ran, true));
    slicer.add(work('b', 2, ran, true));
    assert(slicer.hasPendingInput);
    for (let passed = 1; passed <= turns; passed++) {
      assert(slicer.hasPendingInput, 'new input must not overtake it');
      await turn();
    }
    assert.deepEqual(ran, ['a0', 'a1', 'b0', 'a2', 'b1']);
    assert(!slicer.hasPendingInput);
  }
});

test('every second slice goes to a new task, which waits for few others', async () => {
  const slicer = new Slicer(LITTLE);
  const ran: string[] = [];
  for (const name of ['a', 'b', 'c', 'd']) slicer.add(work(name, 9, ran, true));
  for (let turns = 0; turns < 8; turns++) await turn();
  ran.length = 0;
  slicer.add(work('x', 1, ran, true));
  slicer.add(work('y', 1, ran, true));
  for (let turns = 0; turns < 4; turns++) await turn();
  assert(ran.includes('x0') && ran.includes('y0'), ran.join(' '));
  assert.equal(ran.filter((note) => !/[xy]/.test(note)).length, 2, 'the others continue too');
});

test('a task that throws is dropped with its error; tasks behind it continue', async () => {
  for (const isInput of [false, true]) {
    const slicer = new Slicer(LITTLE);
    const ran: string[] = [];
    slicer.add({
      ...work('a', 1, ran, isInput),
      next: () => {
        throw new Error('why');
      },
    });
    slicer.add(work('b', 1, ran, isInput));
    await turn();
    await turn();
    assert.deepEqual(ran, ['a failed: why', 'b0']);
    assert(!slicer.hasPendingInput);
  }
});

test('a queue returns items in order, for any sequence of pushes and shifts', () => {
  const queue = new Fifo<number>();
  let [pushed, shifted] = [0, 0];
  for (let step = 0; step < 2_000; step++) {
    if (step % 7 < 4) queue.push(pushed++);
    else if (queue.length > 0) assert.equal(queue.shift(), shifted++);
    assert.equal(queue.length, pushed - shifted);
  }
  while (queue.length > 0) assert.equal(queue.shift(), shifted++);
  assert.equal(shifted, pushed);
  assert.equal(queue.shift(), undefined);
  queue.push(1);
  queue.clear();
  assert.equal(queue.length, 0);
  assert.equal(queue.shift(), undefined);
});
