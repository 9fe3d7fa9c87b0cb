import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noticeOf, sameNotice } from '../../src/primary/outage-notice.ts';

const outage = {
  sinceMs: performance.now() - 5_000,
  scope: 'all',
  effect: 'no event is stored',
  reason: 'Kafka does not answer',
} as const;

test('a notice has the time of day of the outage’s start', () => {
  assert.equal(noticeOf(undefined), undefined);
  const { sinceMs, ...rest } = noticeOf(outage)!;
  const { sinceMs: _, ...expected } = outage;
  assert.deepEqual(rest, expected);
  assert(Math.abs(Date.now() - 5_000 - sinceMs) < 1_000, `${sinceMs}`);
});

test('another scope or start is another notice, another reason is not', () => {
  const same = (change: object) => sameNotice(noticeOf(outage), noticeOf({ ...outage, ...change }));
  assert.equal(same({ reason: 'connection refused' }), true);
  assert.equal(same({ scope: 'some' }), false);
  assert.equal(same({ sinceMs: outage.sinceMs + 1_000 }), false);
  assert.equal(sameNotice(noticeOf(outage), undefined), false);
  assert.equal(sameNotice(undefined, undefined), true);
});
