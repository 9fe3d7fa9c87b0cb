import assert from 'node:assert/strict';
import { test } from 'node:test';
import { baselineOf, compare } from '../../../bench/report/compare.ts';
import { facts, ratio, runOf } from './run-of.ts';

const MOST = { most: 2 };
const LEAST = { least: 2 };

/** Comparison of one figure, recorded with these values and measured with those. */
function judge(recorded: number[], now: number[], goal?: typeof MOST | typeof LEAST) {
  const baseline = baselineOf(runOf(ratio('figure', recorded, goal)), facts);
  const [comparison] = compare(baseline, runOf(ratio('figure', now, goal)));
  return comparison!;
}

test('the baseline contains only checked figures, sorted, with four digits', () => {
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

test('runs without spread may differ by 15%', () => {
  assert.equal(judge([1, 1], [1.14, 1.14], MOST).status, 'same');
  assert.equal(judge([1, 1], [1.16, 1.16], MOST).status, 'worse');
  assert.equal(judge([1, 1], [0.88, 0.88], MOST).status, 'same');
  assert.equal(judge([1, 1], [0.86, 0.86], MOST).status, 'better');
  assert.equal(judge([1, 1], [1.16, 1.16], MOST).tolerance, 0.15);
});

test('with a minimum as its goal, a lower value is worse by the same measure', () => {
  assert.equal(judge([4, 4], [3.5, 3.5], LEAST).status, 'same');
  assert.equal(judge([4, 4], [3.4, 3.4], LEAST).status, 'worse');
  assert.equal(judge([4, 4], [4.7, 4.7], LEAST).status, 'better');
  assert.equal(judge([4, 4], [2, 2], LEAST).change, 2);
});

test('a figure without a goal is a cost', () => {
  assert.equal(judge([1, 1], [2, 2]).status, 'worse');
  assert.equal(judge([2, 2], [1, 1]).status, 'better');
});

test('a single round has no spread, so 20% is assumed', () => {
  assert.deepEqual(judge([1], [1.29], MOST).status, 'same');
  assert.deepEqual(judge([1], [1.31], MOST).status, 'worse');
  assert.equal(judge([1, 1], [1], MOST).tolerance?.toFixed(2), '0.15');
});

test('the tolerance is 1.5 times the mean of both spreads, at most 50%', () => {
  // Spreads of 0.2 and 0.2.
  const noisy = judge([0.9, 1, 1.1], [1.13, 1.25, 1.38], MOST);
  assert.equal(noisy.tolerance?.toFixed(2), '0.30');
  assert.equal(noisy.status, 'same');
  assert.equal(judge([0.9, 1, 1.1], [1.3, 1.35, 1.4], MOST).status, 'worse');
  const wild = judge([0.1, 1, 5], [0.2, 1.6, 9], MOST);
  assert.deepEqual([wild.tolerance, wild.status], [0.5, 'worse']);
});

test('a missing or new figure is reported', () => {
  const baseline = baselineOf(runOf(ratio('gone', [1]), ratio('kept', [1])), facts);
  const found = compare(baseline, runOf(ratio('kept', [1]), ratio('added', [3])));
  assert.deepEqual(
    found.map(({ name, recorded, now, status }) => [name, recorded, now, status]),
    [
      ['single: added', undefined, 3, 'new'],
      ['single: gone', 1, undefined, 'missing'],
      ['single: kept', 1, 1, 'same'],
    ],
  );
});

test('a value that is not a ratio cannot be checked', () => {
  for (const values of [[], [0], [-1], [1, Number.NaN], [Number.POSITIVE_INFINITY]]) {
    assert.throws(
      () => baselineOf(runOf(ratio('odd', values)), facts),
      /single: odd is not a ratio/,
    );
  }
});
