import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SlotRates } from '../../../src/primary/live-view/slot-rates.ts';

const values = (count: number) => Float64Array.of(count);

test('a rate refers to the time between reports, not between samples', () => {
  const rates = new SlotRates(1, 0);
  rates.update(values(500), 500, 900);
  assert.equal(rates.perSecond[0], 1_000);
  rates.update(values(500), 500, 1_900);
  assert.equal(rates.perSecond[0], 1_000, 'nothing new: the rate before');
  rates.update(values(2_500), 2_500, 2_900);
  assert.equal(rates.perSecond[0], 1_000, 'two seconds’ numbers in one look');
});

test('overdue reports clear the rate, and the next one gives the mean', () => {
  const rates = new SlotRates(1, 0);
  rates.update(values(1_000), 1_000, 1_000);
  rates.update(values(1_000), 1_000, 3_000);
  assert.equal(rates.perSecond[0], 1_000, 'a second late');
  rates.update(values(1_000), 1_000, 3_001);
  assert.equal(rates.perSecond[0], 0, 'more than that');
  rates.update(values(2_000), 6_000, 6_000);
  assert.equal(rates.perSecond[0], 200);
});
