import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../src/config/limits.ts';
import { InstanceKeyOutcomes, OTHER_PAIRS, PAIRS_MAX } from '../../src/primary/key-outcomes.ts';

test('reports of workers add up; rejected events come first, and the most frequent code', () => {
  const outcomes = new InstanceKeyOutcomes();
  outcomes.update(undefined);
  outcomes.update([
    { key: 'web', stream: 'clicks', outcome: 'stored', events: 7 },
    { key: 'app', stream: 'clicks', outcome: 'schema', events: 2 },
  ]);
  outcomes.update([
    { key: 'app', stream: 'clicks', outcome: 'rate_limited', events: 3 },
    { key: 'app', stream: 'clicks', outcome: 'stored', events: 1 },
    { key: 'web', stream: 'clicks', outcome: 'stored', events: 1 },
    { key: 'web', stream: 'orders', outcome: 'stored', events: 9 },
  ]);
  const codes = [
    { code: 'rate_limited', events: 3 },
    { code: 'schema', events: 2 },
  ];
  assert.deepEqual(outcomes.rows(), [
    { key: 'app', stream: 'clicks', stored: 1, rejected: 5, codes },
    { key: 'web', stream: 'orders', stored: 9, rejected: 0, codes: [] },
    { key: 'web', stream: 'clicks', stored: 8, rejected: 0, codes: [] },
  ]);
});

test('pairs beyond the limit are one row, and no event is left out', () => {
  const outcomes = new InstanceKeyOutcomes();
  const { senders } = LIMITS.liveView;
  const report = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, index) => {
      return { key: `k${from + index}`, stream: 's', outcome: 'stored' as const, events: 1 };
    });
  outcomes.update(report(0, PAIRS_MAX));
  outcomes.update(report(0, PAIRS_MAX + 50));
  const rows = outcomes.rows();
  assert.equal(rows.length, senders);
  assert.deepEqual([rows[0]?.key, rows[0]?.stored], [OTHER_PAIRS, 50]);
  assert.equal(rows[1]?.stored, 2);
});
