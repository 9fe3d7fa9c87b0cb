import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counters, histogram } from '../../../src/metrics/counters.ts';
import { seriesOf } from '../../../src/metrics/layout.ts';
import { RecentHistogram } from '../../../src/primary/live-view/recent-histogram.ts';
import { MetricTotals } from '../../../src/primary/metric-totals.ts';

const NAME = 'forebay_ack_duration_seconds';
const cells = histogram(NAME);
const last = seriesOf(NAME).buckets!.at(-1)!;

/** A histogram of one worker that is sampled after each observation. */
function observed(looks: number) {
  const totals = new MetricTotals(1, () => 0);
  totals.begin(1, 1);
  const counters = new Counters();
  const seen = new RecentHistogram(NAME, looks);
  return (...values: number[]) => {
    for (const value of values) counters.observe(cells, value);
    totals.update(1, counters.snapshot());
    seen.sample(totals);
    return seen;
  };
}

test('a quantile is interpolated within the bucket of its value', () => {
  const look = observed(5);
  // Half of them in (1, 2.5] ms, the others in (10, 15] ms.
  const seen = look(...Array<number>(50).fill(0.002), ...Array<number>(50).fill(0.012));
  const near = (share: number, ms: number) =>
    assert(Math.abs(seen.quantile(share)! * 1000 - ms) < 1e-9, `${share}: ${seen.quantile(share)}`);
  near(0.25, 1.75);
  near(0.5, 2.5);
  near(0.75, 12.5);
  near(1, 15);
});

test('no observations give no value; beyond the last bound the bound is returned', () => {
  const look = observed(5);
  assert.equal(look().quantile(0.5), undefined);
  assert.equal(look(10 * last).quantile(0.5), last);
});

test('only the last samples count', () => {
  const look = observed(2);
  look(1);
  assert(look(0.001).quantile(0.99)! > 0.5, 'the slow one is among them');
  assert(look(0.001).quantile(0.99)! <= 0.001, 'it has left');
  look();
  assert.equal(look().quantile(0.99), undefined);
});
