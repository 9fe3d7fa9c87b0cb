import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StartError } from '../../src/common/errors.ts';
import { readConfig, unknownSettings } from '../../src/config/config.ts';
import { SETTINGS } from '../../src/config/settings.ts';
import type { Environment } from '../../src/config/unknown-settings.ts';

/** Lines of the error for `env`. */
function errors(env: Environment): string[] {
  try {
    readConfig(env);
  } catch (error) {
    assert(error instanceof StartError);
    assert.equal(error.exitCode, 2);
    const [head, ...lines] = error.message.split('\n');
    assert.equal(head, 'invalid settings:');
    return lines.map((line) => line.trim());
  }
  assert.fail('nothing was wrong');
}

test('names and defaults are stable', () => {
  const config = readConfig({});
  const { workers, ...fixed } = config;
  assert(workers >= 1);
  assert.deepEqual(fixed, {
    host: '0.0.0.0',
    port: 9000,
    instance: undefined,
    transport: 'auto',
    tlsCertFile: undefined,
    tlsKeyFile: undefined,
    addressEventsBurst: 0,
    addressEventsPerSecond: 0,
    adminHost: '127.0.0.1',
    adminPort: 9001,
    adminToken: undefined,
    adminTokenFile: undefined,
    adminHosts: [],
    origins: undefined,
    keysFile: undefined,
    jwtJwksFile: undefined,
    jwtJwksUrl: undefined,
    jwtAudience: undefined,
    jwtIssuer: undefined,
    jwtAlgorithms: ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'],
    jwtStreamsClaim: 'forebay_streams',
    jwtClockToleranceMs: 5_000,
    bufferBytes: 67_108_864,
    maxFrameBytes: 65_536,
    keyField: 'clientId',
    idField: 'id',
    eventSchema: undefined,
    schemaRegistryUrl: undefined,
    schemaRegistryAuthFile: undefined,
    schemaRegistryCaFile: undefined,
    schemaRegistryCacheDir: '.forebay/schemas',
    streamsFile: undefined,
    tail: '0',
    tailRedact: 'all',
    eventTimeoutMs: 120_000,
    prestopMs: 0,
    drainTimeoutMs: 25_000,
    drainSpreadMs: 5_000,
    workerTimeoutMs: 10_000,
    maxConnectionAgeMs: 0,
    maxEventDepth: 64,
    idleTimeoutMs: 120_000,
    maxConnections: 20_000,
    maxConnectionsPerAddress: 0,
    maxInputBytes: 67_108_864,
    trustedProxies: [],
    connectionEventsPerSecond: 0,
    connectionEventsBurst: 0,
    minBodyBytesPerSecond: 1_024,
    maxRssBytes: 0,
    httpTimeoutMs: 15_000,
    kafkaBrokers: ['127.0.0.1:9092'],
    kafkaTopic: 'event_topic_newer',
    kafkaTopicPartitions: 12,
    kafkaTopicReplication: -1,
    kafkaCreateTopic: true,
    kafkaClientId: 'forebay',
    compression: 'none',
    lingerMs: 10,
    batchBytes: 262_144,
    maxRequestBytes: 4_194_304,
    kafkaTls: false,
    kafkaTlsCaFile: undefined,
    kafkaTlsCertFile: undefined,
    kafkaTlsKeyFile: undefined,
    kafkaSaslMechanism: undefined,
    kafkaSaslUsername: undefined,
    kafkaSaslPassword: undefined,
    kafkaSaslPasswordFile: undefined,
    logLevel: 'info',
    logPretty: false,
  });
  const names = Object.values(SETTINGS).map(({ env }) => env);
  assert.equal(new Set(names).size, names.length);
});

test('values are parsed, empty ones count as unset', () => {
  const config = readConfig({
    FOREBAY_PORT: '',
    FOREBAY_WORKERS: '3',
    FOREBAY_TRUSTED_PROXIES: '10.0.0.0/8, 2001:db8::1',
    KAFKA_BROKERS: 'a:1, b-2.example:65535',
    KAFKA_TOPIC_REPLICATION: '3',
    KAFKA_CREATE_TOPIC: 'false',
    LOG_PRETTY: '1',
  });
  assert.equal(config.port, 9000);
  assert.equal(config.workers, 3);
  assert.deepEqual(config.kafkaBrokers, ['a:1', 'b-2.example:65535']);
  assert.deepEqual(config.trustedProxies, ['10.0.0.0/8', '2001:db8::1']);
  assert.equal(config.kafkaTopicReplication, 3);
  assert.equal(config.kafkaCreateTopic, false);
  assert.equal(config.logPretty, true);
});

test('every kind of invalid value is reported, all at once', () => {
  assert.deepEqual(
    errors({
      FOREBAY_PORT: '0',
      FOREBAY_WORKERS: '1.5',
      FOREBAY_BUFFER_BYTES: '64MiB',
      FOREBAY_TRUSTED_PROXIES: '10.0.0.0/8,proxy.internal',
      KAFKA_BROKERS: 'a:1,b',
      KAFKA_TOPIC: '..',
      KAFKA_TOPIC_REPLICATION: '-2',
      KAFKA_TLS: 'yes',
      LOG_LEVEL: 'loud',
    }),
    [
      'FOREBAY_PORT must be a whole number from 1 to 65535, not "0"',
      'FOREBAY_WORKERS must be a whole number from 1 to 128, not "1.5"',
      'FOREBAY_BUFFER_BYTES must be a whole number from 4194304 to 4294967296, not "64MiB"',
      'FOREBAY_TRUSTED_PROXIES must be addresses or networks like 10.0.0.0/8 separated by commas, ' +
        'not "10.0.0.0/8,proxy.internal"',
      'KAFKA_BROKERS must be host:port pairs separated by commas, each with a port like ' +
        'localhost:9092, not "a:1,b"',
      'KAFKA_TOPIC must be a topic name: 1 to 249 letters, digits, . _ -, but neither . nor .., ' +
        'not ".."',
      'KAFKA_TOPIC_REPLICATION must be a whole number from 1 to 32, or -1, not "-2"',
      'KAFKA_TLS must be 1 or 0, not "yes"',
      'LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent, not "loud"',
    ],
  );
});

test('the key field is a name, or names separated by single dots', () => {
  const keyField = (value: string) => readConfig({ FOREBAY_KEY_FIELD: value }).keyField;
  for (const name of ['id', 'user.id', 'a.b.c', 'ключ', 'a b', '__proto__', '0']) {
    assert.equal(keyField(name), name);
  }
  for (const name of ['.', '..', '.id', 'id.', 'user..id', 'a.b.']) {
    assert.deepEqual(errors({ FOREBAY_KEY_FIELD: name }), [
      'FOREBAY_KEY_FIELD must be a field name, or field names separated by single dots, such as ' +
        `user.id, not "${name}"`,
    ]);
  }
});

test('a port that Kubernetes sets for a service of our name is explained', () => {
  const [line, ...others] = errors({ FOREBAY_PORT: 'tcp://10.0.0.1:9000' });
  assert.deepEqual(others, []);
  assert(line?.includes('FOREBAY_PORT must be a whole number from 1 to 65535'), line);
  assert(line?.includes('not "tcp://10.0.0.1:9000"'), line);
  assert(line?.includes('`enableServiceLinks: false`'), line);
});

test('unknown variables with our prefixes are reported, with the nearest setting', () => {
  const env = {
    ...Object.fromEntries(Object.values(SETTINGS).map((setting) => [setting.env, 'x'])),
    FOREBAY_WORKER: '2',
    FOREBAY_HTTP_TIMEOUT: '1',
    FOREBAY_COLOUR: 'hunter2',
    FOREBAY_EMPTY: '',
    KAFKA_BROKER: 'a:1',
    KAFKA_LINGER: '1',
    KAFKA_HOST: 'a',
    LOG_FORMAT: 'x',
    PATH: '/bin',
  };
  assert.deepEqual(unknownSettings(env), [
    'FOREBAY_COLOUR is not a setting',
    'FOREBAY_HTTP_TIMEOUT is not a setting; did you mean FOREBAY_HTTP_TIMEOUT_MS?',
    'FOREBAY_WORKER is not a setting; did you mean FOREBAY_WORKERS?',
    'KAFKA_BROKER is not a setting; did you mean KAFKA_BROKERS?',
    'KAFKA_HOST is not a setting',
    'KAFKA_LINGER is not a setting; did you mean KAFKA_LINGER_MS?',
  ]);
});

test('variables of Kubernetes, Kafka’s scripts and our own tools are not reported', () => {
  const names = [
    ...['FOREBAY_SERVICE_HOST', 'FOREBAY_SERVICE_PORT', 'FOREBAY_SERVICE_PORT_HTTP_9000'],
    ...['FOREBAY_PORT_9000_TCP', 'FOREBAY_PORT_9000_TCP_ADDR', 'FOREBAY_ADMIN_SERVICE_HOST'],
    ...['KAFKA_PORT_9092_TCP_PROTO', 'KAFKA_BROKER_PORT_9092_TCP_PORT', 'KAFKA_PORT_53_UDP'],
    ...['KAFKA_HOME', 'KAFKA_OPTS', 'KAFKA_HEAP_OPTS', 'KAFKA_JVM_PERFORMANCE_OPTS'],
    ...['FOREBAY_KAFKA_JARS', 'KAFKA_HOST_PORT'],
  ];
  const env = Object.fromEntries(names.map((name) => [name, 'x']));
  assert.deepEqual(unknownSettings({ ...env, KAFKA_PORT: 'tcp://10.0.0.2:9092' }), []);
  assert.deepEqual(unknownSettings({ KAFKA_PORT: '9092' }), ['KAFKA_PORT is not a setting']);
});

const contradictions: [string, Environment, string][] = [
  ['one port twice', { FOREBAY_ADMIN_PORT: '9000' }, 'FOREBAY_PORT and FOREBAY_ADMIN_PORT must'],
  ['SASL without a user', { KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_PASSWORD: 'x' }, 'USERNAME'],
  [
    'SASL without a password',
    { KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'x' },
    'KAFKA_SASL_MECHANISM requires KAFKA_SASL_PASSWORD or KAFKA_SASL_PASSWORD_FILE',
  ],
  ['a user without SASL', { KAFKA_SASL_USERNAME: 'x' }, 'requires KAFKA_SASL_MECHANISM'],
  [
    'two passwords',
    { KAFKA_SASL_PASSWORD: 'hunter2', KAFKA_SASL_PASSWORD_FILE: '/x' },
    'are mutually exclusive',
  ],
  [
    'two tokens',
    { FOREBAY_ADMIN_TOKEN: 'hunter2', FOREBAY_ADMIN_TOKEN_FILE: '/x' },
    'FOREBAY_ADMIN_TOKEN and FOREBAY_ADMIN_TOKEN_FILE are mutually exclusive',
  ],
  [
    'a live tail without a token',
    { FOREBAY_TAIL: '1' },
    'FOREBAY_TAIL=1 requires FOREBAY_ADMIN_TOKEN',
  ],
  [
    'an open live tail beyond loopback',
    { FOREBAY_TAIL: 'open', FOREBAY_ADMIN_HOST: '0.0.0.0' },
    'FOREBAY_TAIL=open requires a loopback FOREBAY_ADMIN_HOST, not 0.0.0.0',
  ],
  ['a certificate without its key', { FOREBAY_TLS_CERT_FILE: '/x' }, 'must be set together'],
  ['half a key pair', { KAFKA_TLS: '1', KAFKA_TLS_CERT_FILE: '/x' }, 'must be set together'],
  ['files without TLS', { KAFKA_TLS_CA_FILE: '/x' }, 'KAFKA_TLS_*_FILE requires KAFKA_TLS=1'],
  [
    'a burst without a rate',
    { FOREBAY_CONNECTION_EVENTS_BURST: '5' },
    'FOREBAY_CONNECTION_EVENTS_BURST requires FOREBAY_CONNECTION_EVENTS_PER_SECOND',
  ],
  [
    'a burst without a rate of an address',
    { FOREBAY_ADDRESS_EVENTS_BURST: '5' },
    'FOREBAY_ADDRESS_EVENTS_BURST requires FOREBAY_ADDRESS_EVENTS_PER_SECOND',
  ],
  [
    'frames too large for the buffer',
    { FOREBAY_BUFFER_BYTES: '4194304', FOREBAY_MAX_FRAME_BYTES: '65537' },
    'FOREBAY_MAX_FRAME_BYTES must be at most FOREBAY_BUFFER_BYTES / 64',
  ],
];

for (const [name, env, message] of contradictions) {
  test(`contradictory settings: ${name}`, () => {
    const found = errors(env);
    assert.equal(found.length, 1);
    assert(found[0]?.includes(message), found[0]);
    assert(!found[0]?.includes('hunter2'));
  });
}

test('hidden fields of the live tail: all by default, none, or paths of names', () => {
  const redact = (value: string) => readConfig({ FOREBAY_TAIL_REDACT: value }).tailRedact;
  assert.equal(readConfig({}).tailRedact, 'all');
  assert.equal(redact('none'), 'none');
  assert.deepEqual(redact('user.email, items.*.note'), [
    ['user', 'email'],
    ['items', '*', 'note'],
  ]);
  const wrong = ['user.', ',', 'a,,b', 'none,user', 'user,all', '.'];
  for (const value of wrong) {
    const [error = ''] = errors({ FOREBAY_TAIL_REDACT: value });
    assert.match(error, /must be all, none, or fields such as user\.email/, value);
  }
});

test('workers do not inherit whether the live tail is on: its token is not in their settings', () => {
  const { tail, adminToken } = SETTINGS;
  assert(tail.primaryOnly && adminToken.primaryOnly);
});
