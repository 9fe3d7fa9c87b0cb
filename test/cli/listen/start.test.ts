import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeStart, parseStart } from '../../../src/cli/listen/start.ts';

const NOW = Date.parse('2026-11-25T10:00:00Z');
const at = (text: string) => {
  const start = parseStart(text, NOW);
  return typeof start === 'number' ? new Date(start).toISOString() : start;
};

test('beginning and end', () => {
  assert.equal(at('beginning'), 'beginning');
  assert.equal(at('end'), 'end');
});

test('ages: seconds, minutes, hours, days', () => {
  assert.equal(at('-90s'), '2026-11-25T09:58:30.000Z');
  assert.equal(at('-15m'), '2026-11-25T09:45:00.000Z');
  assert.equal(at('-2h'), '2026-11-25T08:00:00.000Z');
  assert.equal(at('-7d'), '2026-11-18T10:00:00.000Z');
  assert.equal(
    at('-999999999d'),
    '1970-01-01T00:00:00.000Z',
    'never a time that Kafka takes for more',
  );
});

test('a day or a time, in UTC by default', () => {
  assert.equal(at('2026-11-25'), '2026-11-25T00:00:00.000Z');
  assert.equal(at('2026-11-25T09:30'), '2026-11-25T09:30:00.000Z');
  assert.equal(at('2026-11-25T09:30:01.5'), '2026-11-25T09:30:01.500Z');
  assert.equal(at('2026-11-25T09:30:00Z'), '2026-11-25T09:30:00.000Z');
  assert.equal(at('2026-11-25T09:30:00+02:00'), '2026-11-25T07:30:00.000Z');
  assert.equal(at('2030-01-01'), '2030-01-01T00:00:00.000Z');
});

test('nonexistent days, times before 1970, and other texts are rejected', () => {
  const wrong = ['2026-02-30', '2026-02-30T10:00Z', '2026-13-01', '1969-12-31', '2026-11-25 10:00'];
  wrong.push(
    '2026-11-25T25:00Z',
    '-15',
    '15m',
    '-m',
    '-1.5h',
    '+15m',
    'middle',
    '',
    '1700000000000',
  );
  for (const text of wrong) assert.equal(at(text), undefined, text);
});

test('wording in a sentence', () => {
  assert.equal(describeStart('end'), 'its end');
  assert.equal(describeStart(NOW), '2026-11-25T10:00:00.000Z');
});
