import assert from 'node:assert/strict';
import { test } from 'node:test';
import { baselineOf, compare } from '../../../bench/report/compare.ts';
import { facts, ratio, runOf } from './run-of.ts';

const MOST = { most: 2 };
const LEAST = { least: 2 };

/** What comes out for one figure, recorded with these values and found with those. */
function judge(recorded: number[], now: number[], goal?: typeof MOST | typeof LEAST) {
  const baseline = baselineOf(runOf(ratio('figure', recorded, goal)), facts);
  const [comparison] = compare(baseline, runOf(ratio('figure', now, goal)));
  return comparison!;
}

test('the baseline has the checked figures alone, sorted, with four digits', () => {
  const run = runOf(
    ratio('b', [2, 2, 2]),
    { name: 'not checked', unit: 'ms', values: [1] },
    ratio('a', [1.23456, 1.3, 1.2]),
  );
  const baseline = baselineOf(run, { ...facts, clean: false });
  assert.equal(
    JSON.stringify(baseline),
    JSON.stringify({
      machine: 'Some CPU, 2 cores',
      commit: 'abc1234 with changes',
      figures: {
        'single: a': { median: 1.235, spread: 0.081 },
        'single: b': { median: 2, spread: 0 },
      },
    }),
  );
});

test('quiet runs may differ by 15%', () => {
  assert.equal(judge([1, 1], [1.14, 1.14], MOST).verdict, 'same');
  assert.equal(judge([1, 1], [1.16, 1.16], MOST).verdict, 'worse');
  assert.equal(judge([1, 1], [0.88, 0.88], MOST).verdict, 'same');
  assert.equal(judge([1, 1], [0.86, 0.86], MOST).verdict, 'better');
  assert.equal(judge([1, 1], [1.16, 1.16], MOST).tolerance, 0.15);
});

test('where more is better, less is worse, by the same measure', () => {
  assert.equal(judge([4, 4], [3.5, 3.5], LEAST).verdict, 'same');
  assert.equal(judge([4, 4], [3.4, 3.4], LEAST).verdict, 'worse');
  assert.equal(judge([4, 4], [4.7, 4.7], LEAST).verdict, 'better');
  assert.equal(judge([4, 4], [2, 2], LEAST).change, 2);
});

test('without a goal it is a cost', () => {
  assert.equal(judge([1, 1], [2, 2]).verdict, 'worse');
  assert.equal(judge([2, 2], [1, 1]).verdict, 'better');
});

test('a round alone has no spread, so 20% is taken for it', () => {
  assert.deepEqual(judge([1], [1.29], MOST).verdict, 'same');
  assert.deepEqual(judge([1], [1.31], MOST).verdict, 'worse');
  assert.equal(judge([1, 1], [1], MOST).tolerance?.toFixed(2), '0.15');
});

test('the tolerance is 1.5 times the mean of both spreads, at most a half', () => {
  // Spreads of 0.2 and 0.2.
  const noisy = judge([0.9, 1, 1.1], [1.13, 1.25, 1.38], MOST);
  assert.equal(noisy.tolerance?.toFixed(2), '0.30');
  assert.equal(noisy.verdict, 'same');
  assert.equal(judge([0.9, 1, 1.1], [1.3, 1.35, 1.4], MOST).verdict, 'worse');
  const wild = judge([0.1, 1, 5], [0.2, 1.6, 9], MOST);
  assert.deepEqual([wild.tolerance, wild.verdict], [0.5, 'worse']);
});

test('a figure that is missing, or new, is told', () => {
  const baseline = baselineOf(runOf(ratio('gone', [1]), ratio('kept', [1])), facts);
  const found = compare(baseline, runOf(ratio('kept', [1]), ratio('added', [3])));
  assert.deepEqual(
    found.map(({ name, recorded, now, verdict }) => [name, recorded, now, verdict]),
    [
      ['single: added', undefined, 3, 'new'],
      ['single: gone', 1, undefined, 'missing'],
      ['single: kept', 1, 1, 'same'],
    ],
  );
});

test('what is no ratio cannot be checked', () => {
  for (const values of [[], [0], [-1], [1, Number.NaN], [Number.POSITIVE_INFINITY]]) {
    assert.throws(() => baselineOf(runOf(ratio('odd', values)), facts), /single: odd is no ratio/);
  }
});
