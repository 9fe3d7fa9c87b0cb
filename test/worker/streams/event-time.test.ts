import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '../../../src/config/limits.ts';
import type { TimestampBounds } from '../../../src/ipc.ts';
import { type EventTimeFormat, TIME_UNITS } from '../../../src/streams/stream-file.ts';
import { EventTime } from '../../../src/worker/streams/event-time.ts';

const ARRIVAL = Date.UTC(2026, 0, 31, 12);
const DAY_MS = 86_400_000;
const [PAST_MS, FUTURE_MS] = [5 * DAY_MS, 300_000];

function timeOf(
  unit: EventTimeFormat['unit'],
  value: unknown,
  arrival = ARRIVAL,
  timestamps: TimestampBounds = {},
) {
  const format = { field: ['at'], unit, pastMs: PAST_MS, futureMs: FUTURE_MS };
  return new EventTime(format, { timestamps }).of(value, arrival);
}

test('each unit yields the exact millisecond, also where doubles are coarse', () => {
  const anyMs = fc.integer({ min: ARRIVAL - PAST_MS, max: ARRIVAL + FUTURE_MS });
  fc.assert(
    fc.property(anyMs, (ms) => {
      assert.equal(timeOf('ms', ms), ms);
      assert.equal(timeOf('s', Math.floor(ms / 1000)), Math.floor(ms / 1000) * 1000);
      assert.equal(timeOf('us', ms * 1000), ms);
      // As JSON.parse reads them.
      assert.equal(timeOf('ns', Number(`${ms}000000`)), ms);
      assert.equal(timeOf('s', Number((ms / 1000).toFixed(3))), ms);
      assert.equal(timeOf('iso', new Date(ms).toISOString()), ms);
    }),
    { numRuns: 500 },
  );
});

test('fractions of a millisecond are rounded', () => {
  assert.equal(timeOf('ms', ARRIVAL + 0.4), ARRIVAL);
  assert.equal(timeOf('ms', ARRIVAL + 0.6), ARRIVAL + 1);
  assert.equal(timeOf('us', (ARRIVAL + 1) * 1000 - 400), ARRIVAL + 1);
});

test('the bounds are inclusive, in every unit', () => {
  for (const [time, isWithin] of [
    [ARRIVAL - PAST_MS, true],
    [ARRIVAL - PAST_MS - 1, false],
    [ARRIVAL + FUTURE_MS, true],
    [ARRIVAL + FUTURE_MS + 1, false],
  ] as const) {
    const expected = isWithin ? time : undefined;
    assert.equal(timeOf('ms', time), expected);
    assert.equal(timeOf('us', time * 1000), expected);
    assert.equal(timeOf('ns', Number(`${time}000000`)), expected);
    assert.equal(timeOf('s', time / 1000), expected);
    assert.equal(timeOf('iso', new Date(time).toISOString()), expected);
  }
  assert.equal(timeOf('ms', -1, 0), undefined, 'Kafka has no timestamps before 1970');
  assert.equal(timeOf('ms', 0, 0), 0);
});

test('other values are no times', () => {
  const values = [Number.NaN, Infinity, -Infinity, -ARRIVAL, 0, null, undefined, true, {}, []];
  for (const unit of TIME_UNITS) {
    for (const value of [...values, 1e300, '']) assert.equal(timeOf(unit, value), undefined);
  }
  assert.equal(timeOf('ms', String(ARRIVAL)), undefined, 'a text in place of a number');
  assert.equal(timeOf('iso', ARRIVAL), undefined, 'a number in place of a text');
});

test('texts of RFC 3339, with any offset and up to nine decimals', () => {
  const whole = Date.UTC(2026, 0, 31, 11, 59, 59);
  for (const [text, ms] of [
    ['2026-01-31T11:59:59Z', 0],
    ['2026-01-31T11:59:59.5Z', 500],
    ['2026-01-31T11:59:59.123456789Z', 123],
    ['2026-01-31T13:29:59+01:30', 0],
    ['2026-01-30T23:59:59.999-12:00', 999],
    ['2026-01-31T11:59:59-00:00', 0],
  ] as const) {
    assert.equal(timeOf('iso', text), whole + ms, text);
  }
});

test('other texts are no times', () => {
  for (const text of [
    '2026-01-31',
    '2026-01-31T11:59Z',
    '2026-01-31T11:59:59',
    '2026-01-31 11:59:59Z',
    '2026-01-31t11:59:59z',
    '2026-01-31T11:59:59.Z',
    '2026-01-31T11:59:59.1234567890Z',
    '2026-01-31T11:59:59+0130',
    '2026-01-31T11:59:59+01',
    '+002026-01-31T11:59:59Z',
    ' 2026-01-31T11:59:59Z',
    '2026-01-31T11:59:59Z\n',
    '２０２６-01-31T11:59:59Z',
    'Sat, 31 Jan 2026 11:59:59 GMT',
  ]) {
    assert.equal(timeOf('iso', text), undefined, text);
  }
});

test('dates and times that do not exist are no times', () => {
  const lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
  for (const [year, isLeap] of [
    [2024, true],
    [2026, false],
    [2100, false],
    [2000, true],
  ] as const) {
    for (const [index, length] of lengths.entries()) {
      const days = length + Number(isLeap && index === 1);
      const month = `${year}-${String(index + 1).padStart(2, '0')}`;
      const last = `${month}-${days}T00:00:00Z`;
      assert.equal(timeOf('iso', last, Date.UTC(year, index, days)), Date.UTC(year, index, days));
      // Date.parse takes it as the first of the next month.
      const next = `${month}-${days + 1}T00:00:00Z`;
      assert.equal(timeOf('iso', next, Date.UTC(year, index, days + 1)), undefined, next);
      const zeroth = `${month}-00T00:00:00Z`;
      assert.equal(timeOf('iso', zeroth, Date.UTC(year, index, 0)), undefined, zeroth);
    }
  }
  const midnight = Date.UTC(2026, 1, 1);
  assert.equal(timeOf('iso', '2026-01-31T24:00:00Z', midnight), undefined);
  for (const rest of ['23:60:00Z', '23:59:60Z', '23:00:00+24:00', '23:00:00+01:60']) {
    assert.equal(timeOf('iso', `2026-01-31T${rest}`), undefined, rest);
  }
  for (const month of ['00', '13']) {
    assert.equal(timeOf('iso', `2026-${month}-01T00:00:00Z`), undefined, month);
  }
});

test('the bounds of the topic apply as well, with a margin', () => {
  const margin = LIMITS.timestampMarginMs;
  const bounds = { beforeMs: 3_600_000, afterMs: margin + 1_000 };
  const accepts = (distance: number, timestamps: TimestampBounds) =>
    timeOf('ms', ARRIVAL + distance, ARRIVAL, timestamps) !== undefined;
  assert(accepts(-3_600_000 + margin, bounds) && accepts(1_000, bounds));
  assert(!accepts(-3_600_000 + margin - 1, bounds) && !accepts(1_001, bounds));
  // Long.MAX_VALUE of Kafka, and topics that accept less than the margin.
  assert(accepts(-PAST_MS, { beforeMs: 2 ** 63 }) && accepts(FUTURE_MS, { afterMs: 2 ** 63 }));
  assert(accepts(0, { beforeMs: 0, afterMs: 0 }));
  assert(!accepts(-1, { beforeMs: 1 }) && !accepts(1, { afterMs: 1 }));
});
