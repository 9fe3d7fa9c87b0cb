import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventCodes } from '../../src/common/errors.ts';
import type { ReportedViolations } from '../../src/ipc.ts';
import { declaredSlots, NO_STREAM_CELLS, streamCellsOf } from '../../src/metrics/slots.ts';
import { VIOLATION_LIMITS } from '../../src/violations/limits.ts';
import { ViolationRecorder } from '../../src/worker/violation-recorder.ts';

const { examples: EXAMPLES, exampleReports: EVERY, reasonChars: CHARS } = VIOLATION_LIMITS;
const slots = declaredSlots(['clicks', 'orders']);
const CLICKS = streamCellsOf(slots, 'clicks');
const ORDERS = streamCellsOf(slots, 'orders');

function recorder(): ViolationRecorder {
  return new ViolationRecorder(() => slots);
}

/** Rows of a report, without the names of their properties. */
function rowsOf(report: ReportedViolations | undefined) {
  return (report ?? []).flatMap(({ stream, kind, rows }) =>
    rows.map(({ code, reason, events, example }) => [
      `${stream} ${kind} ${code}: ${reason}`,
      events,
      example,
    ]),
  );
}

test('a report has the changes since the previous one; undefined = none', () => {
  const violations = recorder();
  assert.equal(violations.take(), undefined);
  violations.rejected(CLICKS, 'schema', '/price must be number', { price: '1' });
  violations.rejected(CLICKS, 'schema', '/price must be number', { price: '12' });
  violations.rejected(NO_STREAM_CELLS, 'invalid_json', 'not valid JSON at position 17');
  violations.rejected(ORDERS, 'rejected_by_kafka', 'Kafka rejected this record', undefined, 7);
  violations.record(ORDERS, 'warn', 'schema', "must have required property 'id'", {});
  violations.record(ORDERS, 'candidate', 'schema', '/id must be string', { id: 1 });
  assert.deepEqual(rowsOf(violations.take()), [
    ['clicks rejected schema: /price must be number', 2, '{"price": string(1)}'],
    ['(none) rejected invalid_json: not valid JSON at position N', 1, undefined],
    ['orders rejected rejected_by_kafka: Kafka rejected this record', 7, undefined],
    ["orders warn schema: must have required property 'id'", 1, '{}'],
    ['orders candidate schema: /id must be string', 1, '{"id": integer}'],
  ]);
  assert.equal(violations.take(), undefined);
  violations.rejected(CLICKS, 'schema', '/price must be number', { price: '123' });
  const next = ['clicks rejected schema: /price must be number', 1, undefined];
  assert.deepEqual(rowsOf(violations.take()), [next]);
});

test('an example is replaced by a newer one after some reports', () => {
  const violations = recorder();
  const examples: unknown[] = [];
  for (let report = 0; report < 2 * EVERY; report++) {
    violations.rejected(CLICKS, 'schema', 'r', { ['f'.repeat(report)]: 1 });
    const [[, , example] = []] = rowsOf(violations.take());
    if (example !== undefined) examples.push(report);
  }
  assert.deepEqual(examples, [0, EVERY]);
});

test('a flood of distinct reasons costs a bounded number of examples and rows', () => {
  const violations = recorder();
  const report = (second: number) => {
    for (let index = 0; index < 2_000; index++) {
      violations.rejected(CLICKS, 'schema', `must NOT have ${second}x${index}`, { a: index });
    }
    return violations.take()!;
  };
  for (let second = 0; second < 10; second++) {
    const taken = report(second);
    const rows = rowsOf(taken);
    const given = rows.filter(([, , example]) => example !== undefined);
    assert(given.length <= EXAMPLES, `${given.length} examples`);
    assert(rows.length <= VIOLATION_LIMITS.rowsPerStream, `${rows.length} rows`);
    const events = taken.reduce((sum, { otherEvents, rows: all }) => {
      return sum + otherEvents + all.reduce((inner, row) => inner + row.events, 0);
    }, 0);
    assert.equal(events, 2_000, 'each event is reported once');
    assert(JSON.stringify(taken).length < 16 * 1024, 'the report is small');
  }
});

test('numbers of an event do not tell reasons apart, those of a schema do', () => {
  const reasons = [
    ['too_large', '70000 bytes exceed the limit of 65536', 'N bytes exceed the limit of N'],
    ['invalid_utf8', 'it begins with a UTF-16 mark', 'it begins with a UTF-16 mark'],
    ['schema', '/items/12/tags/3 must be string', '/items/N/tags/N must be string'],
    ['schema', '/items/12', '/items/12'],
    ['schema', '/a must be one of 1, 2', '/a must be one of 1, 2'],
    ['schema', '/a must match exactly one schema in oneOf (oneOf/1: must be integer)', undefined],
    [
      'schema',
      '/a must NOT have duplicate items (items ## 31 and 5 are identical)',
      '/a must NOT have duplicate items (items ## N and N are identical)',
    ],
  ] as const;
  for (const [code, reason, expected = reason] of reasons) {
    const violations = recorder();
    violations.rejected(CLICKS, code, reason);
    assert.deepEqual(rowsOf(violations.take()), [
      [`clicks rejected ${code}: ${expected}`, 1, undefined],
    ]);
  }
});

test('reasons are escaped and cut', () => {
  const violations = recorder();
  violations.rejected(CLICKS, 'schema', "must NOT have additional property '\u001b[2J\u202e'");
  violations.rejected(CLICKS, 'schema', `/${'\u0001'.repeat(300)} must be string`);
  const [hostile, long] = rowsOf(violations.take()).map(([text]) => String(text));
  assert.match(hostile!, /property '\\x1b\[2J\\u202e'$/);
  assert(long!.length <= 'clicks rejected schema: '.length + CHARS, `${long!.length} characters`);
});

test('only invalid events count: not those that may be sent again, nor missing permissions', () => {
  const violations = recorder();
  for (const code of eventCodes) violations.rejected(CLICKS, code, code);
  assert.deepEqual(
    rowsOf(violations.take()).map(([text]) => text),
    [
      'invalid_json',
      'invalid_msgpack',
      'invalid_utf8',
      'not_an_object',
      'schema',
      'too_large',
      'too_deep',
      'too_many_events',
      'unknown_stream',
      'rejected_by_kafka',
    ].map((code) => `clicks rejected ${code}: ${code}`),
  );
});
