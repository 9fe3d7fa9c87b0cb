import assert from 'node:assert/strict';
import { test } from 'node:test';
import { median, statsOf } from '../../../bench/report/stats.ts';

test('the median is the middle value, or the mean of the middle two', () => {
  assert.equal(median([3]), 3);
  assert.equal(median([10, 9, 1]), 9, 'by size, not by digits');
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

test('the values are not modified', () => {
  const values = [3, 1, 2];
  statsOf(values);
  assert.deepEqual(values, [3, 1, 2]);
});

test('the spread is relative to the median', () => {
  assert.deepEqual(statsOf([12, 10, 8]), { median: 10, least: 8, greatest: 12, spread: 0.4 });
  assert.equal(statsOf([-12, -10, -8]).spread, 0.4);
  assert.equal(statsOf([5]).spread, 0);
  assert.equal(statsOf([0, 0]).spread, 0);
  assert.equal(statsOf([0, 0, 1]).spread, Number.POSITIVE_INFINITY);
});

test('no values, or a non-finite value, have no stats', () => {
  assert.throws(() => statsOf([]), RangeError);
  assert.throws(() => statsOf([1, Number.NaN]), RangeError);
});
