import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fifo, type SlicedTask, Slicer } from '../../../src/worker/ingress/slicer.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
/** Time for as much as there is. */
const MUCH = { workUntilMs: Number.POSITIVE_INFINITY };
/** Time for one slice. */
const LITTLE = { workUntilMs: 0 };

/** Work of so many slices, which notes each. */
function work(name: string, slices: number, notes: string[], isInput = false): SlicedTask {
  let done = 0;
  return {
    isInput,
    next: () => {
      notes.push(`${name}${done}`);
      return ++done < slices;
    },
    failed: (error) => notes.push(`${name} failed: ${(error as Error).message}`),
  };
}

test('one slice in a turn of the loop where no input waits, and of all work in turn', async () => {
  const slicer = new Slicer(MUCH);
  const notes: string[] = [];
  slicer.add(work('a', 3, notes));
  slicer.add(work('b', 2, notes));
  assert.deepEqual(notes, [], 'nothing before the turn is over');
  for (let turns = 1; turns <= 5; turns++) {
    await turn();
    assert.equal(notes.length, turns);
  }
  await turn();
  assert.deepEqual(notes, ['a0', 'a1', 'b0', 'a2', 'b1']);
  slicer.add(work('c', 1, notes));
  await turn();
  assert.equal(notes.at(-1), 'c0', 'it begins again');
});

test('input that waits has as many slices in a turn as there is time for, at least one', async () => {
  for (const [time, turns] of [
    [MUCH, 1],
    [LITTLE, 5],
  ] as const) {
    const slicer = new Slicer(time);
    const notes: string[] = [];
    slicer.add(work('a', 3, notes, true));
    slicer.add(work('b', 2, notes, true));
    assert(slicer.hasPendingInput);
    for (let passed = 1; passed <= turns; passed++) {
      assert(slicer.hasPendingInput, 'what comes must not overtake it');
      await turn();
    }
    assert.deepEqual(notes, ['a0', 'a1', 'b0', 'a2', 'b1']);
    assert(!slicer.hasPendingInput);
  }
});

test('every second slice is of work that has had none: it waits for few others', async () => {
  const slicer = new Slicer(LITTLE);
  const notes: string[] = [];
  for (const name of ['a', 'b', 'c', 'd']) slicer.add(work(name, 9, notes, true));
  for (let turns = 0; turns < 8; turns++) await turn();
  notes.length = 0;
  slicer.add(work('x', 1, notes, true));
  slicer.add(work('y', 1, notes, true));
  for (let turns = 0; turns < 4; turns++) await turn();
  assert(notes.includes('x0') && notes.includes('y0'), notes.join(' '));
  assert.equal(notes.filter((note) => !/[xy]/.test(note)).length, 2, 'the others go on as well');
});

test('work that throws is told so and left; what waits behind it goes on', async () => {
  for (const isInput of [false, true]) {
    const slicer = new Slicer(LITTLE);
    const notes: string[] = [];
    slicer.add({
      ...work('a', 1, notes, isInput),
      next: () => {
        throw new Error('why');
      },
    });
    slicer.add(work('b', 1, notes, isInput));
    await turn();
    await turn();
    assert.deepEqual(notes, ['a failed: why', 'b0']);
    assert(!slicer.hasPendingInput);
  }
});

test('a queue gives back what it was given, in order, however it is filled and emptied', () => {
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
