import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counters, cell } from '../../../src/metrics/counters.ts';
import { Keyless } from '../../../src/worker/validator/keyless.ts';

test('each event without a key is counted, each reason logged once, with the field', () => {
  const counters = new Counters();
  const lines: unknown[] = [];
  const keyless = new Keyless('user.id', counters, {
    warn: (...line: unknown[]) => void lines.push(line),
  });
  const reasons = ['missing', 'missing', 'null', 'object', 'array', 'null', 'missing'] as const;
  for (const reason of reasons) keyless.count(reason);
  assert.equal(counters.values[cell('forebay_events_without_key_total')], reasons.length);
  assert.deepEqual(
    lines,
    ['missing', 'null', 'object', 'array'].map((reason) => [
      { field: 'user.id', reason },
      'event has no key',
    ]),
  );
});
