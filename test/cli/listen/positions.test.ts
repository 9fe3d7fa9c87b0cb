import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodecError } from '../../../src/cli/listen/decompression.ts';
import { describe, obstacleOf, reasonOf, TRANSIENT } from '../../../src/cli/listen/positions.ts';

/** Nested as by kafkajs. */
function tried(cause: Error): Error {
  return new Error('gave up', { cause: new Error('retried\nwith a stack', { cause }) });
}
const ofType = (type: string) => Object.assign(new Error(`broker says ${type}`), { type });
const named = (name: string) => Object.assign(new Error('no'), { name });

for (const [error, obstacle, transient] of [
  [ofType('UNKNOWN_TOPIC_OR_PARTITION'), 'missing', true],
  [ofType('LEADER_NOT_AVAILABLE'), 'leaderless', true],
  [ofType('NOT_LEADER_FOR_PARTITION'), 'leaderless', true],
  [named('KafkaJSGroupCoordinatorNotFound'), 'uncoordinated', true],
  [new Error('connect ECONNREFUSED'), 'unreachable', true],
  [ofType('TOPIC_AUTHORIZATION_FAILED'), 'denied', false],
  [named('KafkaJSSASLAuthenticationError'), 'login', false],
  [new CodecError('zstd needs more'), 'codec', false],
] as const) {
  test(`${error.message}: ${obstacle}, ${transient ? 'waited for' : 'fatal'}, in one line`, () => {
    assert.equal(obstacleOf(tried(error)), obstacle);
    assert.equal(TRANSIENT.has(obstacle), transient);
    const line = describe(obstacle, 't', reasonOf(tried(error)));
    assert.equal(/waiting for it$/.test(line), transient, line);
    assert.doesNotMatch(line, /\n/);
  });
}

test('the reason is the first line of the innermost message', () => {
  assert.equal(reasonOf(tried(new Error('refused\n  at x'))), 'refused');
  assert.equal(reasonOf('no error'), '');
});
