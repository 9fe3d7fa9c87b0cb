import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VIOLATION_LIMITS } from '../../src/violations/limits.ts';
import { type ViolationGroup, ViolationTable } from '../../src/violations/violation-table.ts';

const { rows: ROWS, rowsPerStream: PER_STREAM, evictionsPerPeriod: EVICTIONS } = VIOLATION_LIMITS;

/** Counts one event of each reason. */
function addAll(table: ViolationTable, group: ViolationGroup, reasons: readonly string[]): void {
  for (const reason of reasons) table.add(group, 'schema', reason, 1);
}

function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

function reasonsOf(group: ViolationGroup): string[] {
  return [...group.rows.values()].map(({ reason }) => reason);
}

/** Events of all groups, whatever their rows. */
function eventsOf(table: ViolationTable): number {
  let events = 0;
  for (const { rows, otherEvents } of table.groups()) {
    events += otherEvents;
    for (const row of rows.values()) events += row.events;
  }
  return events;
}

test('events are counted by stream, kind, code and reason', () => {
  const table = new ViolationTable();
  const clicks = table.group('clicks', 'rejected');
  assert.equal(table.group('clicks', 'rejected'), clicks);
  assert.notEqual(table.group('clicks', 'warn'), clicks);
  assert.notEqual(table.group('orders', 'rejected'), clicks);
  table.add(clicks, 'schema', 'a', 2);
  table.add(clicks, 'schema', 'a', 3);
  table.add(clicks, 'invalid_json', 'a', 1);
  const rows = [...clicks.rows.values()].map(({ code, reason, events }) => [code, reason, events]);
  assert.deepEqual(rows, [
    ['schema', 'a', 5],
    ['invalid_json', 'a', 1],
  ]);
  assert.equal(clicks.otherEvents, 0);
});

test('a flood of distinct reasons keeps the rows bounded, those that recur, and every count', () => {
  const table = new ViolationTable();
  const group = table.group('clicks', 'rejected');
  let added = 0;
  for (let second = 0; second < 50; second++) {
    addAll(table, group, ['recurs', ...numbered(`flood ${second} `, 1_000)]);
    added += 1_001;
    assert(group.rows.size <= PER_STREAM, `${group.rows.size} rows`);
    table.endPeriod();
  }
  assert(reasonsOf(group).includes('recurs'));
  const recurring = [...group.rows.values()].find(({ reason }) => reason === 'recurs');
  assert(recurring!.events >= 48, `${recurring!.events} of 50, evicted at the start only`);
  assert.equal(eventsOf(table), added);
});

test('a new reason replaces the least recently used one, a few times per period', () => {
  const table = new ViolationTable();
  const group = table.group('clicks', 'rejected');
  addAll(table, group, numbered('old ', PER_STREAM));
  addAll(table, group, ['old 0']);
  addAll(table, group, numbered('new ', EVICTIONS + 1));
  const kept = reasonsOf(group);
  assert(kept.includes('old 0'), 'used again');
  assert(!kept.includes('old 1'));
  assert(kept.includes('new 0') && !kept.includes(`new ${EVICTIONS}`));
  assert.equal(group.otherEvents, EVICTIONS + 1, 'those evicted, and the one without a row');
  table.endPeriod();
  addAll(table, group, [`new ${EVICTIONS}`]);
  assert(reasonsOf(group).includes(`new ${EVICTIONS}`));
});

test('the rows of all streams are bounded, and a stream with a new reason still gets a row', () => {
  const table = new ViolationTable();
  for (const stream of numbered('stream', 65)) {
    addAll(table, table.group(stream, 'rejected'), numbered('reason ', PER_STREAM));
  }
  const sizes = [...table.groups()].map(({ rows }) => rows.size);
  assert.equal(
    sizes.reduce((sum, size) => sum + size, 0),
    ROWS,
  );
  assert.equal(eventsOf(table), 65 * PER_STREAM);
  const late = table.group('late', 'candidate');
  addAll(table, late, ['first']);
  assert.deepEqual(reasonsOf(late), ['first']);
});
