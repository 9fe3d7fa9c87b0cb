import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { THREE_BROKERS } from '../../deploy/check/compose-defects.ts';
import {
  COMPOSE_FILE,
  envFile,
  readCompose,
  type Service,
  treeOf,
} from '../../deploy/check/compose-file.ts';
import { kafkaVersion, ROOT } from '../../deploy/kafka/jars.ts';
import { readConfig } from '../../src/config/config.ts';
import { streamLoader } from '../../src/config/file-check.ts';
import { missingTool } from '../../testing/tools.ts';

const STREAMS_OVERLAY = 'deploy/compose/streams.yml';
const file = join(ROOT, COMPOSE_FILE);
const compose = readCompose(treeOf(ROOT));
const three = readCompose(treeOf(ROOT), envFile(readFileSync(join(ROOT, THREE_BROKERS), 'utf8')));
const kafka = compose.services.kafka!;

/** Parses `HOST://:9092,…` to `{ HOST: ':9092', … }`. */
function listeners(name: string, service = kafka): Record<string, string> {
  const text = String(service.environment?.[name]);
  return Object.fromEntries(text.split(',').map((part) => part.split('://') as [string, string]));
}

test('every image is pinned, and Kafka is the version of the tests', () => {
  for (const [name, service] of Object.entries(compose.services)) {
    assert.match(service.image, /:v?\d+\.\d+\.\d+$/, name);
  }
  assert.equal(kafka.image, `apache/kafka:${kafkaVersion()}`);
});

test('the host reaches Kafka at the default of KAFKA_BROKERS', () => {
  const { kafkaBrokers } = readConfig({});
  assert.deepEqual([listeners('KAFKA_ADVERTISED_LISTENERS').HOST], kafkaBrokers);
  assert.deepEqual(kafka.ports, ['127.0.0.1:9092:9092']);
  const elsewhere = readCompose(treeOf(ROOT), { KAFKA_HOST_PORT: '9095' }).services.kafka!;
  assert.deepEqual(elsewhere.ports, ['127.0.0.1:9095:9092']);
  assert.equal(listeners('KAFKA_ADVERTISED_LISTENERS', elsewhere).HOST, '127.0.0.1:9095');
  assert.equal(listeners('KAFKA_LISTENERS').HOST, ':9092');
});

test('other services reach Kafka by its name', () => {
  assert.equal(listeners('KAFKA_ADVERTISED_LISTENERS').INNER, 'kafka:19092');
  assert.equal(listeners('KAFKA_LISTENERS').INNER, ':19092');
  assert.equal(kafka.environment!.KAFKA_INTER_BROKER_LISTENER_NAME, 'INNER');
});

test('every listener has a protocol, and the controller is its own voter', () => {
  const protocols = String(kafka.environment!.KAFKA_LISTENER_SECURITY_PROTOCOL_MAP);
  const named = protocols.split(',').map((part) => part.split(':')[0]);
  assert.deepEqual(named, Object.keys(listeners('KAFKA_LISTENERS')));
  const controller = listeners('KAFKA_LISTENERS').CONTROLLER;
  assert.equal(kafka.environment!.KAFKA_CONTROLLER_QUORUM_VOTERS, `1@${controller}`);
  assert.equal(kafka.environment!.KAFKA_NODE_ID, 1);
});

test('one node needs no replicas, auto-creates no topics, and keeps its data', () => {
  const environment = kafka.environment!;
  assert.equal(environment.KAFKA_AUTO_CREATE_TOPICS_ENABLE, 'false');
  assert.equal(environment.KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR, 1);
  assert.equal(environment.KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR, 1);
  const [volume, folder] = kafka.volumes![0]!.split(':');
  assert.ok(volume! in compose.volumes);
  assert.equal(environment.KAFKA_LOG_DIRS, folder);
});

test('the health check queries the broker itself', () => {
  const { test: command, ...times } = kafka.healthcheck!;
  assert.equal(command[0], 'CMD');
  assert.ok(command.some((part) => part.endsWith('kafka-broker-api-versions.sh')));
  assert.equal(command.at(-1), listeners('KAFKA_ADVERTISED_LISTENERS').INNER);
  assert.ok(times.retries > 0);
  assert.match(times.interval, /^\d+s$/);
  assert.match(times.timeout, /^\d+s$/);
});

const BROKERS = ['kafka-1', 'kafka-2', 'kafka-3'];

test('three nodes are one cluster with three replicas and at least two in sync for writes', () => {
  const nodes = BROKERS.map((name) => three.services[name]!);
  const voters = nodes.map(({ environment }, index) => {
    assert.equal(environment?.KAFKA_NODE_ID, index + 1);
    assert.equal(environment.KAFKA_DEFAULT_REPLICATION_FACTOR, 3);
    assert.equal(environment.KAFKA_MIN_INSYNC_REPLICAS, 2);
    return `${index + 1}@${BROKERS[index]}${listeners('KAFKA_LISTENERS', nodes[index]).CONTROLLER}`;
  });
  for (const [index, node] of nodes.entries()) {
    assert.equal(node.environment?.KAFKA_CONTROLLER_QUORUM_VOTERS, voters.join(','));
    assert.equal(
      listeners('KAFKA_ADVERTISED_LISTENERS', node).INNER,
      `${BROKERS[index]}${listeners('KAFKA_LISTENERS', node).INNER}`,
    );
  }
  const [id] = new Set(nodes.map(({ environment }) => environment?.CLUSTER_ID));
  assert.equal(Buffer.from(String(id), 'base64url').length, 16, 'Kafka wants a UUID');
  const volumes = nodes.map((node) => node.volumes?.[0]);
  assert.equal(new Set(volumes).size, 3);
});

test('gateways use the one broker or the three, regardless of KAFKA_BROKERS outside', () => {
  const brokers = (file: typeof compose) => {
    const { environment, depends_on } = file.services['gateway-1']!;
    assert.deepEqual(environment, file.services['gateway-2']!.environment);
    for (const name of ['kafka', ...BROKERS]) assert.ok(name in depends_on!, name);
    return environment!.KAFKA_BROKERS;
  };
  assert.equal(brokers(compose), 'kafka:19092');
  assert.equal(brokers(three), BROKERS.map((name) => `${name}:19092`).join(','));
  assert.ok(!compose.variables.has('KAFKA_BROKERS'), 'it is an address of the host’s');
  assert.ok(compose.services.kafka!.depends_on === undefined, 'make kafka starts it alone');
});

test('deploy/compose/streams.yml gives both gateways a valid stream file', async () => {
  const overlay = parse(readFileSync(join(ROOT, STREAMS_OVERLAY), 'utf8'), { merge: true });
  const { services } = overlay as { services: Record<string, Service> };
  const gateways = Object.entries(compose.services).filter(([, { build }]) => build !== undefined);
  assert.deepEqual(
    Object.keys(services),
    gateways.map(([name]) => name),
  );
  for (const { environment, volumes = [] } of Object.values(services)) {
    const inside = String(environment?.FOREBAY_STREAMS_FILE);
    const [source = '', target = '', mode] = volumes[0]!.split(':');
    assert.equal(mode, 'ro');
    assert(inside.startsWith(`${target}/`), inside);
    const path = join(ROOT, source, inside.slice(target.length));
    const { file, warnings } = (await streamLoader(readConfig({}), path))();
    assert.deepEqual(warnings, []);
    assert.deepEqual(
      file.streams.map(({ name }) => name),
      ['default', 'orders'],
    );
  }
});

test('Grafana is the version that the documents start manually', () => {
  const documents = readFileSync(join(ROOT, 'docs/dashboards.md'), 'utf8');
  assert.ok(documents.includes(compose.services.grafana!.image), compose.services.grafana!.image);
});

const specification = (...envFiles: string[]) =>
  spawnSync('go', ['run', '.', file, ...envFiles.map((name) => join(ROOT, name))], {
    cwd: join(ROOT, 'deploy/check/compose'),
    encoding: 'utf8',
  });
const skip = missingTool('go');

test('the specification’s loader accepts the file, and starts one broker or three', {
  skip,
}, () => {
  const started = (...envFiles: string[]) => {
    const { status, stdout, stderr } = specification(...envFiles);
    assert.equal(status, 0, stderr);
    return stdout.trim().split('\n');
  };
  const others = ['gateway-1', 'gateway-2', 'grafana', 'haproxy', 'prometheus'];
  assert.deepEqual(started(), ['kafka', ...others].sort());
  assert.deepEqual(started(THREE_BROKERS), [...BROKERS, ...others].sort());
});

test('promtool accepts Prometheus’s configuration', { skip: missingTool('promtool') }, () => {
  const config = join(ROOT, 'deploy/compose/prometheus.yml');
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'config', config], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stdout + stderr);
});
