import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEY_CELLS, STREAM_CELLS } from '../../../src/metrics/layout.ts';
import {
  declaredSlots,
  type MetricSlots,
  withKeys,
  withStreams,
} from '../../../src/metrics/slots.ts';
import { KeyOutcomes } from '../../../src/worker/acknowledger/key-outcomes.ts';

const SLOTS = withKeys(declaredSlots(['clicks', 'orders']), ['web', 'app']);
const [WEB, APP] = [2 * KEY_CELLS, 3 * KEY_CELLS];
const [NONE, CLICKS, ORDERS] = [0, STREAM_CELLS, 2 * STREAM_CELLS];

test('events are added by key, stream and outcome, and reported once by their names', () => {
  const outcomes = new KeyOutcomes(() => SLOTS);
  assert.equal(outcomes.take(), undefined);
  outcomes.add(WEB, CLICKS, 'stored', 3);
  outcomes.add(WEB, CLICKS, 'stored', 4);
  outcomes.add(WEB, ORDERS, 'stored', 1);
  outcomes.add(APP, CLICKS, 'schema', 2);
  outcomes.add(APP, NONE, 'unknown_stream', 1);
  assert.deepEqual(outcomes.take(), [
    { key: 'web', stream: 'clicks', outcome: 'stored', events: 7 },
    { key: 'web', stream: 'orders', outcome: 'stored', events: 1 },
    { key: 'app', stream: 'clicks', outcome: 'schema', events: 2 },
    { key: 'app', stream: '(none)', outcome: 'unknown_stream', events: 1 },
  ]);
  assert.equal(outcomes.take(), undefined);
});

test('keys and streams that were added later are named', () => {
  let slots: MetricSlots = SLOTS;
  const outcomes = new KeyOutcomes(() => slots);
  slots = withKeys(withStreams(SLOTS, ['logs'])!, ['new']);
  outcomes.add(4 * KEY_CELLS, 3 * STREAM_CELLS, 'stored', 1);
  const row = { key: 'new', stream: 'logs', outcome: 'stored', events: 1 };
  assert.deepEqual(outcomes.take(), [row]);
});
