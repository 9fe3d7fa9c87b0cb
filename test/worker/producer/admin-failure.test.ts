import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { adminFailure } from '../../../src/worker/producer/admin-failure.ts';

// With the classes that kafkajs throws.
const require = createRequire(import.meta.url);
const errors = require('kafkajs/src/errors') as Record<string, new (...args: unknown[]) => Error>;
const { createErrorFromCode } = require('kafkajs/src/protocol/error') as {
  createErrorFromCode(code: number): Error;
};

const notCreated = (code: number) =>
  new errors.KafkaJSAggregateError!('Topic creation errors', [
    new errors.KafkaJSCreateTopicError!(createErrorFromCode(code), 'events'),
  ]);
const unresolved = new errors.KafkaJSConnectionError!(
  'Connection error: getaddrinfo ENOTFOUND kafka.invalid',
  { broker: 'kafka.invalid:9092', code: 'ENOTFOUND' },
);

test('Kafka’s error for topic creation is named', () => {
  for (const [code, type] of [
    [29, 'TOPIC_AUTHORIZATION_FAILED'],
    [38, 'INVALID_REPLICATION_FACTOR'],
    [37, 'INVALID_PARTITIONS'],
    [44, 'POLICY_VIOLATION'],
    [41, 'NOT_CONTROLLER'],
  ] as const) {
    for (const error of [notCreated(code), new Error('outer', { cause: notCreated(code) })]) {
      const failure = adminFailure(error);
      assert.equal(failure.hint, `Kafka answers ${type}`);
      assert.equal(failure.isConnection, false);
      assert.equal(failure.address, undefined);
      assert(failure.error.length > 10, failure.error);
    }
  }
});

test('an unreachable broker is named with its address, but not in the hint', () => {
  const retried = new errors.KafkaJSNumberOfRetriesExceeded!(unresolved, {
    retryCount: 0,
    retryTime: 300,
  });
  for (const error of [unresolved, retried, new Error('outer', { cause: retried })]) {
    assert.deepEqual(adminFailure(error), {
      hint: 'Kafka cannot be reached: the host name cannot be resolved',
      error: 'Connection error: getaddrinfo ENOTFOUND kafka.invalid',
      address: 'kafka.invalid:9092',
      isConnection: true,
    });
  }
});

test('rejected credentials are not a connection failure of their own', () => {
  const error = new errors.KafkaJSSASLAuthenticationError!('SASL PLAIN authentication failed');
  assert.equal(adminFailure(error).hint, 'Kafka authentication failed');
});

test('any other thrown value becomes text', () => {
  assert.equal(adminFailure('odd').error, 'odd');
});
