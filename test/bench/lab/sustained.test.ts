import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Lab, Shape } from '../../../bench/lab/lab.ts';
import { keepsUp, sustainedRate } from '../../../bench/lab/sustained.ts';
import type { Target } from '../../../bench/lab/target.ts';

test('a server keeps up if it acknowledges 98% of what is offered', () => {
  const found = [39_200, 39_100].map((ackedPerSecond) => keepsUp({ ackedPerSecond }, 40_000));
  assert.deepEqual(found, [true, false]);
});

/**
 * A lab with a server that acknowledges up to this rate, with a load client that keeps its
 * schedule up to another one, and the rates that it was offered.
 */
function labOf(
  most: number,
  onTime = Number.POSITIVE_INFINITY,
): { lab: Lab; offered: (number | undefined)[] } {
  const offered: (number | undefined)[] = [];
  const attempt = async (_: Target, { eventsPerSecond }: Shape) => {
    offered.push(eventsPerSecond);
    const lag = { p99: eventsPerSecond! > onTime ? 90 : 3, max: 100 };
    return { ackedPerSecond: Math.min(most, eventsPerSecond!), report: { lag } };
  };
  return { lab: { attempt } as unknown as Lab, offered };
}

test('the sustained rate is the highest one that a server keeps up with', async () => {
  const rates = [10_000, 20_000, 40_000];
  const { lab, offered } = labOf(25_000);
  assert.equal(await sustainedRate(lab, {} as Target, rates, {}), 20_000);
  assert.deepEqual(offered, [40_000, 20_000]);
  assert.equal(await sustainedRate(labOf(9_000).lab, {} as Target, rates, {}), undefined);
});

test('a rate at which the load client itself falls behind is not proven, and no violation', async () => {
  const { lab, offered } = labOf(50_000, 20_000);
  assert.equal(await sustainedRate(lab, {} as Target, [10_000, 20_000, 40_000], {}), 20_000);
  assert.deepEqual(offered, [40_000, 20_000]);
});
