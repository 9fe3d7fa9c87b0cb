import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runParallel } from './many.ts';
import { OCCURRENCES } from './report.ts';

const SEEDS = 1_000;

test('in many histories under all faults everything settles, and each kind of fault occurs', async () => {
  const { failures, counts, seeds } = await runParallel(1, SEEDS);
  assert.deepEqual(failures, [], 'make simulate SEED=… replays one with its trace');
  assert.equal(seeds, SEEDS);
  const never = OCCURRENCES.filter((what) => counts[what] === undefined);
  assert.deepEqual(never, [], 'each kind of fault and of decision has occurred');
});
