import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FORGETFUL } from './forgetful.ts';
import { runHistory } from './history.ts';
import { runParallel } from './many.ts';
import { MUTANTS } from './mutants.ts';
import { mutated } from './mutate.ts';
import type { Occurrence } from './report.ts';

/** seeds.long.test.ts runs more. */
const SEEDS = 200;
/** Occurrences of repeats, except the rarest: that one is left to seeds.long.test.ts. */
const OF_REPEATS: readonly Occurrence[] = [
  'repeat posted',
  'marked repeat',
  'original and marked repeat',
];

test('under all faults nothing is lost, duplicated or reordered, and everything settles', async () => {
  const { failures, counts, seeds } = await runParallel(1, SEEDS);
  assert.deepEqual(failures, [], 'make simulate SEED=… replays one with its trace');
  assert.equal(seeds, SEEDS);
  const never = OF_REPEATS.filter((what) => counts[what] === undefined);
  assert.deepEqual(never, [], 'repeats have occurred in each way');
});

test('a seed determines its history', async () => {
  const hashes = new Set<string>();
  for (let seed = 1; seed <= 10; seed++) {
    const { hash } = await runHistory(seed);
    assert.equal((await runHistory(seed)).hash, hash, `seed ${seed}`);
    hashes.add(hash);
  }
  assert.equal(hashes.size, 10, 'seeds differ');
});

test('the code that mutants.long.test.ts changes is in the sources', () => {
  for (const mutant of [...MUTANTS, ...FORGETFUL]) {
    assert.ok(mutated(mutant).size > 0, mutant.defect);
  }
});
