import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { kafkaVersion, ROOT } from '../../deploy/kafka/jars.ts';
import { readConfig } from '../../src/config.ts';

interface Service {
  image: string;
  ports: string[];
  environment: Record<string, string | number>;
  volumes: string[];
  healthcheck: { test: string[]; interval: string; timeout: string; retries: number };
}

const file = join(ROOT, 'docker-compose.yml');
const compose = parse(readFileSync(file, 'utf8')) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};
const kafka = compose.services.kafka!;

/** `HOST://:9092,…` as `{ HOST: ':9092', … }`. */
function listeners(name: string): Record<string, string> {
  const text = String(kafka.environment[name]).replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1');
  return Object.fromEntries(text.split(',').map((part) => part.split('://') as [string, string]));
}

test('every image is pinned, and Kafka is the version that the tests run', () => {
  for (const [name, service] of Object.entries(compose.services)) {
    assert.match(service.image, /:\d+\.\d+\.\d+/, name);
  }
  assert.equal(kafka.image, `apache/kafka:${kafkaVersion()}`);
});

test('the host reaches Kafka where the default of KAFKA_BROKERS looks for it', () => {
  const { kafkaBrokers } = readConfig({});
  assert.deepEqual([listeners('KAFKA_ADVERTISED_LISTENERS').HOST], kafkaBrokers);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Compose's own variable
  assert.deepEqual(kafka.ports, ['127.0.0.1:${KAFKA_HOST_PORT:-9092}:9092']);
  assert.equal(listeners('KAFKA_LISTENERS').HOST, ':9092');
});

test('other services reach Kafka by its name', () => {
  assert.equal(listeners('KAFKA_ADVERTISED_LISTENERS').INNER, 'kafka:19092');
  assert.equal(listeners('KAFKA_LISTENERS').INNER, ':19092');
  assert.equal(kafka.environment.KAFKA_INTER_BROKER_LISTENER_NAME, 'INNER');
});

test('every listener has a protocol, and the controller is its own voter', () => {
  const protocols = String(kafka.environment.KAFKA_LISTENER_SECURITY_PROTOCOL_MAP);
  const named = protocols.split(',').map((part) => part.split(':')[0]);
  assert.deepEqual(named, Object.keys(listeners('KAFKA_LISTENERS')));
  const controller = listeners('KAFKA_LISTENERS').CONTROLLER;
  assert.equal(kafka.environment.KAFKA_CONTROLLER_QUORUM_VOTERS, `1@${controller}`);
  assert.equal(kafka.environment.KAFKA_NODE_ID, 1);
});

test('one node needs no copies, makes no topics by itself, and keeps its data', () => {
  const environment = kafka.environment;
  assert.equal(environment.KAFKA_AUTO_CREATE_TOPICS_ENABLE, 'false');
  assert.equal(environment.KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR, 1);
  assert.equal(environment.KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR, 1);
  const [volume, folder] = kafka.volumes[0]!.split(':');
  assert.ok(volume! in compose.volumes);
  assert.equal(environment.KAFKA_LOG_DIRS, folder);
});

test('the health check asks the broker itself', () => {
  const { test: command, ...times } = kafka.healthcheck;
  assert.equal(command[0], 'CMD');
  assert.ok(command.some((part) => part.endsWith('kafka-broker-api-versions.sh')));
  assert.equal(command.at(-1), listeners('KAFKA_ADVERTISED_LISTENERS').INNER);
  assert.ok(times.retries > 0);
  assert.match(times.interval, /^\d+s$/);
  assert.match(times.timeout, /^\d+s$/);
});

const hasCompose = spawnSync('docker', ['compose', 'version']).status === 0;

test('Docker’s own loader takes the file', { skip: !hasCompose && 'needs docker compose' }, () => {
  const checked = spawnSync('docker', ['compose', '-f', file, 'config', '-q'], {
    encoding: 'utf8',
  });
  assert.equal(checked.status, 0, checked.stderr);
});
