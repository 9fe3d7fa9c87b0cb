import assert from 'node:assert/strict';
import { test } from 'node:test';
import { interleave, ratioFigure } from '../../../bench/lab/figures.ts';
import type { Measurement } from '../../../bench/lab/measure.ts';

test('measurements are interleaved: a, b, a, b', async () => {
  const order: string[] = [];
  const run = (name: string) => async () => {
    order.push(name);
    return { ackedPerSecond: order.length } as Measurement;
  };
  const found = await interleave(2, { a: run('a'), b: run('b') });
  assert.deepEqual(order, ['a', 'b', 'a', 'b']);
  const acked = (these: Measurement[]) => these.map(({ ackedPerSecond }) => ackedPerSecond);
  assert.deepEqual(
    [acked(found.a), acked(found.b)],
    [
      [1, 3],
      [2, 4],
    ],
  );
});

test('a ratio compares values of the same round, and is checked against the baseline', () => {
  const { values, checked, goal } = ratioFigure('a / b', [10, 12, 14], [5, 6, 28], { most: 2 });
  assert.deepEqual([values, checked, goal], [[2, 2, 0.5], true, { most: 2 }]);
});
