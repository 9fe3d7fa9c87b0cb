import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Sliced, Slicer } from '../../../src/worker/listener/slicer.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Work of so many slices, which notes each. */
function work(name: string, slices: number, notes: string[]): Sliced {
  let done = 0;
  return {
    next: () => {
      notes.push(`${name}${done}`);
      return ++done < slices;
    },
    failed: (error) => notes.push(`${name} failed: ${(error as Error).message}`),
  };
}

test('one slice in a turn of the loop, one work after the other', async () => {
  const slicer = new Slicer();
  const notes: string[] = [];
  slicer.add(work('a', 3, notes));
  slicer.add(work('b', 2, notes));
  assert.deepEqual(notes, [], 'nothing before the turn is over');
  for (let turns = 1; turns <= 5; turns++) {
    await turn();
    assert.equal(notes.length, turns);
  }
  await turn();
  assert.deepEqual(notes, ['a0', 'a1', 'a2', 'b0', 'b1']);
  slicer.add(work('c', 1, notes));
  await turn();
  assert.equal(notes.at(-1), 'c0', 'it begins again');
});

test('work that throws is told so and left; what waits behind it goes on', async () => {
  const slicer = new Slicer();
  const notes: string[] = [];
  const broken = work('a', 1, notes);
  slicer.add({
    ...broken,
    next: () => {
      throw new Error('why');
    },
  });
  slicer.add(work('b', 1, notes));
  await turn();
  await turn();
  assert.deepEqual(notes, ['a failed: why', 'b0']);
});
