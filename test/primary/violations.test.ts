import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReportedViolations } from '../../src/ipc.ts';
import { InstanceViolations } from '../../src/primary/violations.ts';
import { VIOLATION_LIMITS } from '../../src/violations/limits.ts';

const REASON = '/price must be number';

function report(reasons: readonly string[], example?: string, otherEvents = 0): ReportedViolations {
  const rows = reasons.map((reason) => ({ code: 'schema', reason, events: 1, example }) as const);
  return [{ stream: 'clicks', kind: 'rejected', otherEvents, rows }];
}

test('reports of several workers add up; the newest example stays', () => {
  const violations = new InstanceViolations();
  assert.deepEqual(violations.list(), []);
  violations.update(undefined);
  assert.equal(violations.version, 0);
  violations.update(report([REASON, 'rare'], '{"price": string(1)}'), 1_000);
  violations.update(report([REASON], '{"price": string(2)}', 3), 2_000);
  violations.update(report([REASON]), 3_000);
  assert.equal(violations.version, 3);
  const row = (reason: string, events: number, atMs: number, example: string) => {
    return { code: 'schema', reason, events, atMs, example };
  };
  assert.deepEqual(violations.list(), [
    {
      stream: 'clicks',
      kind: 'rejected',
      events: 7,
      reasons: [
        row(REASON, 3, 3_000, '{"price": string(2)}'),
        row('rare', 1, 1_000, '{"price": string(1)}'),
      ],
      otherEvents: 3,
    },
  ]);
});

test('many workers with distinct reasons: the list stays bounded, and events add up', () => {
  const violations = new InstanceViolations();
  const { rowsPerStream } = VIOLATION_LIMITS;
  const example = 'x'.repeat(VIOLATION_LIMITS.exampleChars);
  for (let index = 0; index < 500; index++) {
    const reasons = Array.from({ length: rowsPerStream }, (_, row) => `${index} ${row}`);
    violations.update(report([REASON, ...reasons], example));
  }
  const [clicks] = violations.list();
  assert.equal(clicks?.reasons.length, rowsPerStream);
  assert.equal(clicks?.events, 500 * (rowsPerStream + 1));
  assert.equal(clicks?.reasons[0]?.reason, REASON, 'the one that recurs');
  assert(clicks.reasons[0]!.events >= 498, 'evicted at the start only');
});
