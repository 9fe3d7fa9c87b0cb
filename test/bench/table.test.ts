import assert from 'node:assert/strict';
import { test } from 'node:test';
import { figureTable } from '../../bench/table.ts';

test('a figure shows its spread, and its median decides about the goal', () => {
  const lines = figureTable([
    { name: 'a', unit: 'x', values: [3, 1, 1.5], goal: { most: 1.6 } },
    { name: 'b', unit: 'ms', values: [1, 2], goal: { least: 1.6 } },
    { name: 'c', unit: 'events', values: [12_345.6] },
    { name: 'd', unit: 'x', values: [Number.NaN], goal: { most: 1 } },
  ]).split('\n');
  const cells = lines.map((line) => line.trim().split(/ {2,}/));
  assert.deepEqual(cells, [
    ['figure', 'median', 'min', 'max', 'unit', 'goal'],
    ['a', '1.5', '1', '3', 'x', '≤ 1.6', 'met'],
    ['b', '1.5', '1', '2', 'ms', '≥ 1.6', 'missed'],
    ['c', '12,346', '12,346', '12,346', 'events'],
    ['d', '–', 'x', '≤ 1', 'missed'],
  ]);
});
