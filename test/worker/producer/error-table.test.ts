import assert from 'node:assert/strict';
import { test } from 'node:test';
import protocolErrors from 'kafkajs/src/protocol/error.js';
import {
  errorName,
  noAnswer,
  type Outcome,
  outcomeOf,
} from '../../../src/worker/producer/error-table.ts';

const { errorCodes } = protocolErrors as { errorCodes: { type: string; code: number }[] };
const nameOf = new Map(errorCodes.map(({ code, type }) => [code, type]));

const unknown: Outcome = { kind: 'retry', class: 'unknown', definite: false };
const notAppended: Outcome = { kind: 'retry', class: 'not_appended', definite: true };
const byPolicy: Outcome = { kind: 'retry', class: 'refused_by_policy', definite: true, slow: true };
const tooLarge: Outcome = { kind: 'poison', code: 'too_large' };

/** Every row of the table, by Kafka's names. */
const ROWS: readonly [number, string | undefined, Outcome][] = [
  [7, 'REQUEST_TIMED_OUT', unknown],
  [20, 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', unknown],
  [6, 'NOT_LEADER_FOR_PARTITION', unknown],
  [3, 'UNKNOWN_TOPIC_OR_PARTITION', unknown],
  [56, 'KAFKA_STORAGE_ERROR', unknown],
  [5, 'LEADER_NOT_AVAILABLE', unknown],
  [8, 'BROKER_NOT_AVAILABLE', unknown],
  [9, 'REPLICA_NOT_AVAILABLE', unknown],
  [13, 'NETWORK_EXCEPTION', unknown],
  [19, 'NOT_ENOUGH_REPLICAS', notAppended],
  [74, 'FENCED_LEADER_EPOCH', notAppended],
  [75, 'UNKNOWN_LEADER_EPOCH', notAppended],
  [2, 'CORRUPT_MESSAGE', { kind: 'corrupt' }],
  [32, 'INVALID_TIMESTAMP', { kind: 'restamp', class: 'timestamp' }],
  [10, 'MESSAGE_TOO_LARGE', tooLarge],
  [18, 'RECORD_LIST_TOO_LARGE', tooLarge],
  [87, 'INVALID_RECORD', { kind: 'poison', code: 'rejected_by_kafka' }],
  [45, 'OUT_OF_ORDER_SEQUENCE_NUMBER', { kind: 'sequence' }],
  [47, 'INVALID_PRODUCER_EPOCH', { kind: 'sequence' }],
  [59, 'UNKNOWN_PRODUCER_ID', { kind: 'sequence' }],
  [46, 'DUPLICATE_SEQUENCE_NUMBER', { kind: 'stored', class: 'duplicate_sequence' }],
  [29, 'TOPIC_AUTHORIZATION_FAILED', byPolicy],
  [31, 'CLUSTER_AUTHORIZATION_FAILED', byPolicy],
  [17, 'INVALID_TOPIC_EXCEPTION', byPolicy],
  [44, 'POLICY_VIOLATION', byPolicy],
  [43, 'UNSUPPORTED_FOR_MESSAGE_FORMAT', byPolicy],
  [76, 'UNSUPPORTED_COMPRESSION_TYPE', byPolicy],
  [0, undefined, { kind: 'stored' }],
];

for (const [code, name, expected] of ROWS) {
  test(`${code} ${name ?? ''} is ${JSON.stringify(expected)}`, () => {
    assert.equal(nameOf.get(code), name, 'kafkajs knows the code by this name');
    assert.deepEqual(outcomeOf(code), code === 0 ? expected : { ...expected, errorCode: code });
  });
}

test('a code without a row leaves the fate open and raises an alarm', () => {
  const known = new Set(ROWS.map(([code]) => code));
  for (let code = -1; code < 200; code++) {
    if (known.has(code)) continue;
    assert.deepEqual(outcomeOf(code), {
      kind: 'retry',
      class: 'unexpected',
      definite: false,
      errorCode: code,
    });
  }
});

/** Codes that Kafka has renamed; kafkajs has the old names. */
const RENAMED: ReadonlyMap<number, string> = new Map([
  [6, 'NOT_LEADER_OR_FOLLOWER'],
  [14, 'COORDINATOR_LOAD_IN_PROGRESS'],
  [15, 'COORDINATOR_NOT_AVAILABLE'],
  [16, 'NOT_COORDINATOR'],
]);

test('codes have Kafka’s names', () => {
  for (const [code] of ROWS) assert.match(errorName(code), /^[A-Z_]+$/);
  for (const [code, name] of RENAMED) assert.equal(errorName(code), name);
  for (const { code, type } of errorCodes) {
    const name = errorName(code);
    const expected = RENAMED.get(code) ?? (code === -1 ? 'UNKNOWN_SERVER_ERROR' : type);
    assert([expected, `error ${code}`].includes(name), `${code} is ${expected}, not ${name}`);
  }
  assert.equal(errorName(999), 'error 999');
});

test('a missing response leaves the fate open, whatever the reason', () => {
  for (const why of ['connection', 'request_timeout', 'missing_partition'] as const) {
    assert.deepEqual(noAnswer(why), { kind: 'retry', class: why, definite: false });
  }
});
