import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Lab, Shape } from '../../../bench/lab/lab.ts';
import { keepsUp, sustainedRate } from '../../../bench/lab/sustained.ts';
import type { Target } from '../../../bench/lab/target.ts';

test('a server keeps up if it acknowledges 98% of what is offered', () => {
  const found = [39_200, 39_100].map((ackedPerSecond) => keepsUp({ ackedPerSecond }, 40_000));
  assert.deepEqual(found, [true, false]);
});

/** A lab with a server that acknowledges up to this rate, and the rates that it was offered. */
function labOf(most: number): { lab: Lab; offered: (number | undefined)[] } {
  const offered: (number | undefined)[] = [];
  const measure = async (_: Target, { eventsPerSecond }: Shape) => {
    offered.push(eventsPerSecond);
    return { ackedPerSecond: Math.min(most, eventsPerSecond!) };
  };
  return { lab: { measure } as unknown as Lab, offered };
}

test('the sustained rate is the highest one that a server keeps up with', async () => {
  const rates = [10_000, 20_000, 40_000];
  const { lab, offered } = labOf(25_000);
  assert.equal(await sustainedRate(lab, {} as Target, rates, {}), 20_000);
  assert.deepEqual(offered, [40_000, 20_000]);
  assert.equal(await sustainedRate(labOf(9_000).lab, {} as Target, rates, {}), undefined);
});
