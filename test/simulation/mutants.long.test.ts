/** The simulation detects each of these defects. */
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { after, before, test } from 'node:test';
import { FORGETFUL } from './forgetful.ts';
import { MUTANTS } from './mutants.ts';
import { Laboratory } from './mutate.ts';

/** Seeds within which each defect must show; seeds.long.test.ts runs more without one. */
const SEEDS = 400;

let laboratory: Laboratory;
before(async () => {
  laboratory = await Laboratory.open([...MUTANTS, ...FORGETFUL]);
});
after(() => laboratory.close());

test('each mutant is caught', { concurrency: availableParallelism() }, async (t) => {
  const hunts = MUTANTS.map((mutant) =>
    t.test(mutant.defect, async () => {
      const { seed, output } = await laboratory.hunt(mutant, SEEDS);
      assert.notEqual(seed, undefined, `no violation: ${output.slice(-2_000)}`);
    }),
  );
  await Promise.all(hunts);
});

test('forebay_events_unaccounted shows an event forgotten by any stage', {
  concurrency: availableParallelism(),
}, async (t) => {
  const hunts = FORGETFUL.map((mutant) =>
    t.test(mutant.defect, async () => {
      const { seed, output } = await laboratory.hunt(mutant, SEEDS, 'events are unaccounted');
      assert.notEqual(seed, undefined, `no event is unaccounted: ${output.slice(-2_000)}`);
    }),
  );
  await Promise.all(hunts);
});
