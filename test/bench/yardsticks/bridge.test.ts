import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  bridgeForm,
  bridgeSettings,
  mavenReason,
  versionIn,
} from '../../../bench/yardsticks/bridge.ts';

test('the bridge has the durability, linger and compression of the gateway', () => {
  const lines = bridgeSettings(21_000, ['127.0.0.1:9092', '127.0.0.1:9093']).trim().split('\n');
  assert.deepEqual(
    lines.filter((line) => /^(http|kafka)\./.test(line)),
    [
      'http.host=127.0.0.1',
      'http.port=21000',
      'http.consumer.enabled=false',
      'kafka.bootstrap.servers=127.0.0.1:9092,127.0.0.1:9093',
      'kafka.producer.acks=all',
      'kafka.producer.enable.idempotence=true',
      'kafka.producer.linger.ms=10',
      'kafka.producer.compression.type=none',
    ],
  );
});

test('a response of the bridge that reports a failed record is no success', () => {
  const { failure = '' } = bridgeForm('events');
  const stored = '{"offsets":[{"partition":3,"offset":17}]}';
  const failed = '{"offsets":[{"partition":3,"offset":17},{"error_code":500,"message":"timeout"}]}';
  assert.deepEqual(
    [stored, failed].map((body) => body.includes(failure)),
    [false, true],
  );
});

test('its version is that of its pom', () => {
  const pom = readFileSync('bench/yardsticks/bridge/pom.xml', 'utf8');
  assert.match(versionIn(pom), /^\d+\.\d+\.\d+$/);
  assert.throws(() => versionIn('<project/>'), /names no kafka-bridge/);
});

test('the reason of a failed download has neither an address nor the rest of Maven’s output', () => {
  const output = [
    'Maven failed to download the packages of bench/yardsticks/bridge/pom.xml',
    '[ERROR] Failed to execute goal on project yardsticks: Could not resolve dependencies for ' +
      'project forebay:yardsticks:pom:0.1.0: Could not find artifact ' +
      'io.strimzi:kafka-bridge:jar:0.33.1 in central (https://registry.invalid/maven2) -> [Help 1]',
    '[ERROR] ',
    '[ERROR] Re-run Maven using the -X switch to enable full debug logging.',
  ].join('\n');
  const reason = 'Maven does not find io.strimzi:kafka-bridge:jar:0.33.1';
  assert.equal(mavenReason(output), reason);
  const cached =
    '[ERROR] Could not resolve dependencies for project forebay:yardsticks:pom:0.1.0: ' +
    'io.strimzi:kafka-bridge:jar:0.33.1 was not found in https://registry.invalid/maven2 during a ' +
    'previous attempt -> [Help 1]';
  assert.equal(mavenReason(cached), reason);
  assert.equal(mavenReason('[ERROR] no route to https://registry.invalid/x'), 'no route to …');
  assert.equal(mavenReason('mvn was killed\nmore'), 'mvn was killed');
});
