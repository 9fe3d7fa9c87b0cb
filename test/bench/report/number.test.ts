import assert from 'node:assert/strict';
import { test } from 'node:test';
import { percent, shortNumber } from '../../../bench/report/number.ts';

test('three significant digits, or all before the point', () => {
  const shown = [0, 1.5, 1.2345, 99.96, 123.4, 999.7, 20_000, 0.00123, -1234.6, Number.NaN];
  assert.deepEqual(shown.map(shortNumber), [
    ...['0', '1.5', '1.23', '100', '123', '1,000', '20,000', '0.00123', '-1,235', '–'],
  ]);
});

test('percent, with one digit below ten', () => {
  const shown = [0, 0.034, 0.096, 0.0996, 0.1249, 1.5, -0.05, -0.2];
  assert.deepEqual(shown.map(percent), ['0%', '3.4%', '9.6%', '10%', '12%', '150%', '-5%', '-20%']);
});
