/** Form of rejections according to docs/protocol.md, independent of the code under test. */
import assert from 'node:assert/strict';
import type { EventCode } from '../../src/common/errors.ts';
import type { NackError } from '../../testing/protocol.ts';

const RETRY: readonly EventCode[] = [
  'rate_limited',
  'buffer_full',
  'kafka_unavailable',
  'draining',
  'timeout',
];

/** A code and the ranges of events that it must name; no ranges = the whole frame. */
export type Expected = readonly [code: EventCode, ...ranges: [first: number, last: number][]];

/** Asserts exactly these rejections, in any order, each in the form of the protocol. */
export function assertRefused(
  errors: readonly Partial<NackError>[],
  ...expected: readonly Expected[]
): void {
  const byCode = (a: { code: string }, b: { code: string }) => (a.code < b.code ? -1 : 1);
  const wanted = expected
    .map(([code, ...events]) => ({
      code: code as string,
      retry: RETRY.includes(code),
      ...(events.length > 0 && { events }),
    }))
    .sort(byCode);
  const seen = errors.map(({ message, retryAfterMs, ...error }) => ({ code: '', ...error }));
  assert.deepEqual(seen.sort(byCode), wanted);
  for (const { retry, retryAfterMs, message = '' } of errors) {
    assert.equal(retryAfterMs === undefined, retry !== true, 'retryAfterMs comes with retry');
    if (retryAfterMs !== undefined) assert(Number.isInteger(retryAfterMs) && retryAfterMs > 0);
    assert(message.length > 0 && message.length <= 200, message);
    assert.doesNotMatch(message, /127\.0\.0\.1|node_modules|\n/, 'no addresses, no stack');
  }
}
