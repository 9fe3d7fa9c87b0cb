/** The simulation is not blind: each of these defects is caught. */
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { after, before, test } from 'node:test';
import { FORGETFUL } from './forgetful.ts';
import { MUTANTS } from './mutants.ts';
import { Laboratory } from './mutate.ts';

/** Each defect shows within so many seeds; simulation.test.ts runs more without one. */
const SEEDS = 400;

let laboratory: Laboratory;
before(async () => {
  laboratory = await Laboratory.open([...MUTANTS, ...FORGETFUL]);
});
after(() => laboratory.close());

test('each mutant is caught', { concurrency: availableParallelism() }, async (t) => {
  const hunts = MUTANTS.map((mutant) =>
    t.test(mutant.what, async () => {
      const { seed, output } = await laboratory.hunt(mutant, SEEDS);
      assert.notEqual(seed, undefined, `nothing was noticed: ${output.slice(-2_000)}`);
    }),
  );
  await Promise.all(hunts);
});

test('whichever stage forgets an event, forebay_events_unaccounted shows it', {
  concurrency: availableParallelism(),
}, async (t) => {
  const hunts = FORGETFUL.map((mutant) =>
    t.test(mutant.what, async () => {
      const { seed, output } = await laboratory.hunt(mutant, SEEDS, 'events are unaccounted');
      assert.notEqual(seed, undefined, `all were accounted: ${output.slice(-2_000)}`);
    }),
  );
  await Promise.all(hunts);
});
