import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fault } from '../../../src/ipc.ts';
import { Counters, cell } from '../../../src/metrics/counters.ts';
import { Faults } from '../../../src/worker/faults.ts';
import { KeylessEvents } from '../../../src/worker/intake/keyless-events.ts';

test('each event without a key is counted, each reason reported once, with the field', () => {
  const counters = new Counters();
  const reported: Fault[] = [];
  const keyless = new KeylessEvents(
    'user.id',
    counters,
    new Faults((fault) => reported.push(fault)),
  );
  const reasons = ['missing', 'missing', 'null', 'object', 'array', 'null', 'missing'] as const;
  for (const reason of reasons) keyless.count(reason);
  assert.equal(counters.values[cell('forebay_events_without_key_total')], reasons.length);
  assert.deepEqual(
    reported,
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
