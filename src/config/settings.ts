/**
 * Declarations of all settings. Invariant: every value of a setting satisfies its declaration.
 * Parsing (config.ts) and the texts of the command `config`, `--help` and docs/configuration.md
 * (reference.ts) derive from them.
 */
import { CODECS } from '../kafka/compression/codecs.ts';
import { availableCores } from './cpu-count.ts';
import { ALGORITHMS } from './jwt-algorithms.ts';
import { KIB, LIMITS, MIB } from './limits.ts';
import { SCHEMA_REGISTRY_SETTINGS } from './schema-registry-settings.ts';
import {
  addresses,
  choice,
  choices,
  FIELD_PATH,
  flag,
  hostNames,
  integer,
  networks,
  optional,
  origins,
  type Setting,
  TOPIC_NAME,
  text,
  url,
} from './setting-kinds.ts';
import { TAIL_SETTINGS } from './tail-settings.ts';

const FOUR_GIB = 4096 * MIB;

export const SETTINGS = {
  host: text('FOREBAY_HOST', {
    default: '0.0.0.0',
    meaning: 'address of the port for clients',
  }),
  port: integer('FOREBAY_PORT', {
    default: 9000,
    min: 1,
    max: 65_535,
    meaning: 'port for clients',
  }),
  instance: optional('FOREBAY_INSTANCE', {
    meaning: 'name of the instance in the record header fb-instance; by default the host name',
  }),
  transport: choice('FOREBAY_TRANSPORT', {
    values: ['auto', 'uws', 'node'],
    default: 'auto',
    meaning:
      'library that serves the port for clients (auto = uWebSockets.js where its binary loads, ' +
      'otherwise Node.js)',
  }),
  tlsCertFile: optional('FOREBAY_TLS_CERT_FILE', {
    meaning: 'PEM file with the certificate and its chain; enables TLS for clients',
  }),
  tlsKeyFile: optional('FOREBAY_TLS_KEY_FILE', {
    meaning: 'PEM file with the private key of the certificate',
  }),
  adminHost: text('FOREBAY_ADMIN_HOST', {
    default: '127.0.0.1',
    meaning: 'address of the admin port: live view, metrics, health checks and commands',
  }),
  adminPort: integer('FOREBAY_ADMIN_PORT', {
    default: 9001,
    min: 1,
    max: 65_535,
    meaning: 'port of the live view, metrics, health checks and commands',
  }),
  adminToken: optional('FOREBAY_ADMIN_TOKEN', {
    meaning: 'token that commands require as `Authorization: Bearer`; required beyond loopback',
    secret: true,
    primaryOnly: true,
  }),
  adminTokenFile: optional('FOREBAY_ADMIN_TOKEN_FILE', {
    meaning: 'file that contains the token, instead of FOREBAY_ADMIN_TOKEN',
    primaryOnly: true,
  }),
  adminHosts: hostNames('FOREBAY_ADMIN_HOSTS', {
    meaning:
      'host names accepted by the admin port in addition to addresses and localhost, ' +
      'separated by commas; * = every name',
  }),
  ...TAIL_SETTINGS,
  workers: integer('FOREBAY_WORKERS', {
    default: availableCores,
    defaultText: 'available cores',
    min: 1,
    max: 128,
    meaning: 'worker processes; the default respects the cgroup’s CPU quota',
  }),
  origins: origins('FOREBAY_ORIGINS', {
    meaning:
      'allowed origins of web pages, separated by commas; * = every page; none = pages of ' +
      'the same host',
  }),
  keysFile: optional('FOREBAY_KEYS_FILE', {
    meaning: 'JSON file of API keys; reloaded when it changes',
  }),
  jwtJwksFile: optional('FOREBAY_JWT_JWKS_FILE', {
    meaning: 'JSON file of the public keys (JWKS) that verify JWTs; reloaded when it changes',
  }),
  jwtJwksUrl: url('FOREBAY_JWT_JWKS_URL', {
    meaning: 'URL of the JWKS instead of a file: https, or http on loopback',
  }),
  jwtAudience: optional('FOREBAY_JWT_AUDIENCE', {
    meaning: 'required audience: `aud` of a JWT must equal or contain it; mandatory with a JWKS',
  }),
  jwtIssuer: optional('FOREBAY_JWT_ISSUER', {
    meaning: 'required issuer: `iss` of a JWT must equal it; mandatory with a JWKS',
  }),
  jwtAlgorithms: choices('FOREBAY_JWT_ALGORITHMS', {
    values: ALGORITHMS,
    default: ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'],
    meaning: 'accepted signature algorithms of JWTs, separated by commas',
  }),
  jwtStreamsClaim: text('FOREBAY_JWT_STREAMS_CLAIM', {
    default: 'forebay_streams',
    meaning:
      'claim with an array of the streams that a bearer may write to; absent = every keyed one',
  }),
  jwtClockToleranceMs: integer('FOREBAY_JWT_CLOCK_TOLERANCE_MS', {
    default: 5_000,
    min: 0,
    max: 300_000,
    unit: 'ms',
    meaning: 'tolerated clock difference between issuer and gateway',
  }),
  bufferBytes: integer('FOREBAY_BUFFER_BYTES', {
    default: 64 * MIB,
    min: 4 * MIB,
    max: FOUR_GIB,
    unit: 'bytes',
    meaning: 'memory per worker for events not yet in Kafka, including copies in requests',
  }),
  maxFrameBytes: integer('FOREBAY_MAX_FRAME_BYTES', {
    default: 64 * KIB,
    min: KIB,
    max: LIMITS.frameBytes,
    unit: 'bytes',
    meaning: 'maximum size of a WebSocket frame, and of an event over HTTP',
  }),
  keyField: text('FOREBAY_KEY_FIELD', {
    default: 'clientId',
    ...FIELD_PATH,
    meaning: 'field whose value becomes the record key; user.id: the field id of the object user',
  }),
  idField: text('FOREBAY_ID_FIELD', {
    default: 'id',
    meaning:
      'field by which the test page, listen and the benchmarks detect duplicates; the ' +
      'gateway does not read it',
  }),
  eventSchema: optional('FOREBAY_EVENT_SCHEMA', {
    meaning: 'path of a JSON Schema for events; none = the built-in msg, clientId, timestamp',
  }),
  streamsFile: optional('FOREBAY_STREAMS_FILE', {
    meaning:
      'path of the stream file, in YAML or JSON; none = one stream, of the topic KAFKA_TOPIC and ' +
      'the schema FOREBAY_EVENT_SCHEMA',
  }),
  ...SCHEMA_REGISTRY_SETTINGS,
  eventTimeoutMs: integer('FOREBAY_EVENT_TIMEOUT_MS', {
    default: 120_000,
    min: 1_000,
    max: 3_600_000,
    unit: 'ms',
    meaning: 'age at which an event that is not stored is rejected',
  }),
  prestopMs: integer('FOREBAY_PRESTOP_MS', {
    default: 0,
    min: 0,
    max: 3_600_000,
    unit: 'ms',
    meaning: 'delay between failing readiness and draining; traffic is served meanwhile',
  }),
  drainTimeoutMs: integer('FOREBAY_DRAIN_TIMEOUT_MS', {
    default: 25_000,
    min: 0,
    max: 3_600_000,
    unit: 'ms',
    meaning: 'time to settle events in flight during a stop, after which it ends with exit code 1',
  }),
  drainSpreadMs: integer('FOREBAY_DRAIN_SPREAD_MS', {
    default: 5_000,
    min: 0,
    max: 3_600_000,
    unit: 'ms',
    meaning: 'maximum of the random reconnect delay given to the clients of a draining worker',
  }),
  workerTimeoutMs: integer('FOREBAY_WORKER_TIMEOUT_MS', {
    default: 10_000,
    min: 2_000,
    max: 3_600_000,
    unit: 'ms',
    meaning: 'time without a report after which a worker is killed and replaced',
  }),
  maxEventDepth: integer('FOREBAY_MAX_EVENT_DEPTH', {
    default: 64,
    min: 8,
    max: 1_000,
    meaning: 'maximum nesting depth of an event; the event itself counts as 1',
  }),
  maxConnectionAgeMs: integer('FOREBAY_MAX_CONNECTION_AGE_MS', {
    default: 0,
    min: 1_000,
    max: 604_800_000,
    also: [0],
    unit: 'ms',
    meaning: 'age ±10% at which a WebSocket is asked to reconnect; 0 = no limit',
  }),
  idleTimeoutMs: integer('FOREBAY_IDLE_TIMEOUT_MS', {
    default: 120_000,
    min: 8_000,
    max: 960_000,
    unit: 'ms',
    meaning:
      'time without input, answered pings included, after which a WebSocket is closed; in ' +
      'whole seconds, up to 4 s late',
  }),
  maxConnections: integer('FOREBAY_MAX_CONNECTIONS', {
    default: 20_000,
    min: 1,
    max: 1_000_000,
    meaning: 'maximum WebSockets per worker; lower if the open-file limit is lower',
  }),
  maxConnectionsPerAddress: integer('FOREBAY_MAX_CONNECTIONS_PER_ADDRESS', {
    default: 0,
    min: 0,
    max: 1_000_000,
    meaning:
      'maximum WebSockets and unanswered POSTs per worker from one IPv4 address or IPv6 ' +
      '/64, and as many connections without a request; 0 = no limit',
  }),
  trustedProxies: networks('FOREBAY_TRUSTED_PROXIES', {
    meaning: 'proxies whose X-Forwarded-For and PROXY headers give the client’s address',
  }),
  connectionEventsPerSecond: integer('FOREBAY_CONNECTION_EVENTS_PER_SECOND', {
    default: 0,
    min: 0,
    max: 1_000_000,
    meaning: 'events per second of one WebSocket, above it `rate_limited`; 0 = no limit',
  }),
  connectionEventsBurst: integer('FOREBAY_CONNECTION_EVENTS_BURST', {
    default: 0,
    min: 0,
    max: 1_000_000,
    meaning: 'events that one WebSocket may send in a burst; 0 = the rate of one second',
  }),
  addressEventsPerSecond: integer('FOREBAY_ADDRESS_EVENTS_PER_SECOND', {
    default: 0,
    min: 0,
    max: 1_000_000,
    meaning:
      'events per second of one IPv4 address or IPv6 /64, over WebSocket and HTTP, in each ' +
      'worker; above it `rate_limited`; 0 = no limit',
  }),
  addressEventsBurst: integer('FOREBAY_ADDRESS_EVENTS_BURST', {
    default: 0,
    min: 0,
    max: 1_000_000,
    meaning: 'events that one address may send in a burst; 0 = the rate of one second',
  }),
  minBodyBytesPerSecond: integer('FOREBAY_MIN_BODY_BYTES_PER_SECOND', {
    default: 1_024,
    min: 64,
    max: 16 * MIB,
    unit: 'bytes',
    meaning:
      'minimum rate of an HTTP body, below which it is rejected with 408 after a grace ' +
      'period of 10 s; a body of 1 MiB may take 1 MiB divided by this',
  }),
  maxInputBytes: integer('FOREBAY_MAX_INPUT_BYTES', {
    default: 64 * MIB,
    min: LIMITS.inputBytesMin,
    max: FOUR_GIB,
    unit: 'bytes',
    meaning:
      'memory per worker for input that is incomplete, or waits to be decompressed or ' +
      'decoded; above it the largest and oldest are rejected',
  }),
  maxRssBytes: integer('FOREBAY_MAX_RSS_BYTES', {
    default: 0,
    min: 64 * MIB,
    max: 256 * 1024 * MIB,
    also: [0],
    unit: 'bytes',
    meaning:
      'resident memory of a worker above which it rejects new connections and bodies; 0 = off',
  }),
  httpTimeoutMs: integer('FOREBAY_HTTP_TIMEOUT_MS', {
    default: 15_000,
    min: 100,
    max: 3_600_000,
    unit: 'ms',
    meaning: 'time until an HTTP request is answered; events unsettled by then get `timeout`',
  }),
  kafkaBrokers: addresses('KAFKA_BROKERS', {
    default: ['127.0.0.1:9092'],
    meaning: 'bootstrap brokers, host:port separated by commas; IPv6 addresses as [::1]:9092',
  }),
  kafkaTopic: text('KAFKA_TOPIC', {
    default: 'event_topic_newer',
    ...TOPIC_NAME,
    meaning: 'topic that events are written to',
  }),
  kafkaTopicPartitions: integer('KAFKA_TOPIC_PARTITIONS', {
    default: 12,
    min: 1,
    max: LIMITS.topicPartitions,
    meaning: 'partitions of a topic created by Forebay',
  }),
  kafkaTopicReplication: integer('KAFKA_TOPIC_REPLICATION', {
    default: -1,
    min: 1,
    max: LIMITS.topicReplication,
    also: [-1],
    meaning: 'replication factor of a topic created by Forebay; -1 = the broker’s default',
  }),
  kafkaCreateTopic: flag('KAFKA_CREATE_TOPIC', {
    default: true,
    meaning: 'create the topic if it does not exist',
  }),
  kafkaClientId: text('KAFKA_CLIENT_ID', {
    default: 'forebay',
    pattern: /^[A-Za-z0-9._-]{1,100}$/,
    expected: '1 to 100 letters, digits, . _ -',
    meaning: 'client id in broker logs and quotas',
  }),
  compression: choice('KAFKA_COMPRESSION', {
    values: ['none', ...CODECS],
    default: 'none',
    meaning: 'compression codec of batches (zstd requires Node.js 22.15 or later)',
  }),
  lingerMs: integer('KAFKA_LINGER_MS', {
    default: 10,
    min: 0,
    max: 1_000,
    unit: 'ms',
    meaning:
      'maximum time an event waits for others: minimum interval between requests to a ' +
      'broker; 0 for the first request after an idle time',
  }),
  batchBytes: integer('KAFKA_BATCH_BYTES', {
    default: 256 * KIB,
    min: 4 * KIB,
    max: 16 * MIB,
    unit: 'bytes',
    meaning: 'maximum batch size; never above the topic’s max.message.bytes',
  }),
  maxRequestBytes: integer('KAFKA_MAX_REQUEST_BYTES', {
    default: 4 * MIB,
    min: 64 * KIB,
    max: 64 * MIB,
    unit: 'bytes',
    meaning: 'maximum size of a produce request; never above the buffer / (16 × brokers)',
  }),
  kafkaTls: flag('KAFKA_TLS', { default: false, meaning: 'connect to the brokers over TLS' }),
  kafkaTlsCaFile: optional('KAFKA_TLS_CA_FILE', {
    meaning: 'PEM file with the CA certificates that brokers are verified against',
  }),
  kafkaTlsCertFile: optional('KAFKA_TLS_CERT_FILE', {
    meaning: 'PEM file with the client certificate for the brokers',
  }),
  kafkaTlsKeyFile: optional('KAFKA_TLS_KEY_FILE', {
    meaning: 'PEM file with the private key of the client certificate',
  }),
  kafkaSaslMechanism: choice('KAFKA_SASL_MECHANISM', {
    values: ['plain', 'scram-sha-256', 'scram-sha-512'],
    meaning: 'SASL mechanism for the brokers',
  }),
  kafkaSaslUsername: optional('KAFKA_SASL_USERNAME', { meaning: 'user name for the brokers' }),
  kafkaSaslPassword: optional('KAFKA_SASL_PASSWORD', {
    meaning: 'password for the brokers',
    secret: true,
  }),
  kafkaSaslPasswordFile: optional('KAFKA_SASL_PASSWORD_FILE', {
    meaning: 'file that contains the password, instead of KAFKA_SASL_PASSWORD',
  }),
  logLevel: choice('LOG_LEVEL', {
    values: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    default: 'info',
    meaning: 'minimum level of log lines',
  }),
  logPretty: flag('LOG_PRETTY', {
    default: false,
    meaning: 'human-readable log lines instead of JSON',
  }),
} as const;

export const SETTING_ENTRIES = Object.entries(SETTINGS) as [
  keyof typeof SETTINGS,
  Setting<unknown>,
][];
