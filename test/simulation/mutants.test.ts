/** The simulation is not blind: each of these defects is caught. */
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { MUTANTS } from './mutants.ts';
import { Laboratory } from './mutate.ts';

/** Each defect shows within so many seeds; simulation.test.ts runs more without one. */
const SEEDS = 400;

test('each mutant is caught', { concurrency: availableParallelism() }, async (t) => {
  const laboratory = new Laboratory(MUTANTS);
  t.after(() => laboratory.close());
  const hunts = MUTANTS.map((mutant) =>
    t.test(mutant.what, async () => {
      const { seed, output } = await laboratory.hunt(mutant, SEEDS);
      assert.notEqual(seed, undefined, `nothing was noticed: ${output.slice(-2_000)}`);
    }),
  );
  await Promise.all(hunts);
});
