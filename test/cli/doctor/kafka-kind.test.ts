import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kindOf, missingApis, releaseOf } from '../../../src/cli/doctor/kafka-kind.ts';
import type { ApiVersions } from '../../../src/worker/producer/kafkajs.ts';

const range = (maxVersion: number, minVersion = 0) => ({ minVersion, maxVersion });
/** Requests of Kafka 3.9 with KRaft, as far as they count. */
const KRAFT_3_9 = {
  0: range(11),
  1: range(17),
  3: range(12),
  22: range(5),
  60: range(1),
};

test('the release is the latest whose requests the broker supports', () => {
  assert.equal(releaseOf(KRAFT_3_9), 'requests of Kafka 3.9');
  assert.equal(releaseOf({ ...KRAFT_3_9, 0: range(13, 3) }), 'requests of Kafka 4.1');
  assert.equal(releaseOf({ 0: range(7), 3: range(7) }), 'requests of Kafka 2.1');
  assert.equal(releaseOf({ 0: range(6) }), 'requests of Kafka before 2.1');
});

test('requests that the gateway needs and the broker lacks are named with their version', () => {
  assert.deepEqual(missingApis(KRAFT_3_9), []);
  assert.deepEqual(missingApis({ 0: range(6), 3: range(12, 5) }), [
    'Produce 7',
    'Metadata 4',
    'InitProducerId 0',
  ]);
});

test('the kind is known from host names, the cluster id, or the requests', () => {
  const kind = (hosts: string[], id = 'x', versions: ApiVersions = KRAFT_3_9) =>
    kindOf(versions, id, hosts);
  assert.equal(kind(['kafka']), 'Apache Kafka or compatible, KRaft');
  assert.equal(
    kind(['kafka'], 'x', { 4: range(7), 60: range(0) }),
    'Apache Kafka or compatible, with ZooKeeper',
  );
  assert.equal(kind(['kafka'], 'x', {}), 'Apache Kafka or compatible');
  assert.equal(kind(['kafka'], 'redpanda.0a1b'), 'Redpanda');
  assert.equal(kind(['ns.servicebus.windows.net']), 'Azure Event Hubs');
  assert.equal(kind(['b-1.x.c2.kafka.eu-west-1.amazonaws.com']), 'Amazon MSK');
  assert.equal(kind(['pkc-1.eu-west-1.aws.confluent.cloud']), 'Confluent Cloud');
});
