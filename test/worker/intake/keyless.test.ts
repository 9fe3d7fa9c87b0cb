import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fault } from '../../../src/ipc.ts';
import { Counters, cell } from '../../../src/metrics/counters.ts';
import { Faults } from '../../../src/worker/faults.ts';
import { Keyless } from '../../../src/worker/intake/keyless.ts';

test('each event without a key is counted, each reason reported once, with the field', () => {
  const counters = new Counters();
  const told: Fault[] = [];
  const keyless = new Keyless('user.id', counters, new Faults((fault) => told.push(fault)));
  const reasons = ['missing', 'missing', 'null', 'object', 'array', 'null', 'missing'] as const;
  for (const reason of reasons) keyless.count(reason);
  assert.equal(counters.values[cell('forebay_events_without_key_total')], reasons.length);
  assert.deepEqual(
    told,
    ['missing', 'null', 'object', 'array'].map((reason) => ({
      level: 'warn',
      key: `event has no key ${reason}`,
      fields: { field: 'user.id', reason },
      message: 'event has no key',
      held: 0,
      once: true,
    })),
  );
});
