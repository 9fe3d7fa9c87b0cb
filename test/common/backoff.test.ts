import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffMs } from '../../src/common/backoff.ts';

test('a delay doubles from the first to the maximum, and stays there', () => {
  const pauses = { first: 100, last: 10_000 };
  const failures = [1, 2, 3, 7, 8, 10_000];
  const ms = failures.map((count) => backoffMs(pauses, count));
  assert.deepEqual(ms, [100, 200, 400, 6_400, 10_000, 10_000]);
});
