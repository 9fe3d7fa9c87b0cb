/**
 * Every setting, once; those that bound clients are in limit-settings.ts, those of who gets in in
 * config-identity.ts. Parsing, error texts, and what config-texts.ts shows to people (the command
 * `config`, `--help`, docs/configuration.md) all come from these declarations. One invariant rules it:
 * a value that is here is one that the setting may have, or the start has failed.
 */

import { EXIT, StartError } from '../common/errors.ts';
import { redactedValue } from '../common/redact.ts';
import { CODECS } from '../kafka/compression/codecs.ts';
import { availableCores } from './cpu-count.ts';
import { demandIdentity, IDENTITY_SETTINGS } from './identity-settings.ts';
import { LIMIT_SETTINGS } from './limit-settings.ts';
import { KIB, MIB } from './limits.ts';
import {
  addresses,
  choice,
  flag,
  hostNames,
  integer,
  optional,
  type Setting,
  text,
  type ValuesOf,
} from './setting-kinds.ts';
import { type Environment, isServiceAddress, strangers } from './unknown-settings.ts';

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
  workers: integer('FOREBAY_WORKERS', {
    default: availableCores,
    defaultText: 'available cores',
    min: 1,
    max: 128,
    meaning: 'worker processes; the default respects the cgroup’s CPU quota',
  }),
  ...IDENTITY_SETTINGS,
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
    max: 256 * KIB,
    unit: 'bytes',
    meaning: 'maximum size of a WebSocket frame, and of an event over HTTP',
  }),
  keyField: text('FOREBAY_KEY_FIELD', {
    default: 'clientId',
    pattern: /^[^.]+(\.[^.]+)*$/,
    expected: 'a field name, or field names separated by single dots, such as user.id',
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
  ...LIMIT_SETTINGS,
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
    pattern: /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/,
    expected: 'a topic name: 1 to 249 letters, digits, . _ -, but neither . nor ..',
    meaning: 'topic that events are written to',
  }),
  kafkaTopicPartitions: integer('KAFKA_TOPIC_PARTITIONS', {
    default: 12,
    min: 1,
    max: 10_000,
    meaning: 'partitions of a topic created by Forebay',
  }),
  kafkaTopicReplication: integer('KAFKA_TOPIC_REPLICATION', {
    default: -1,
    min: 1,
    max: 32,
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

/** Effective settings; file contents and relations are checked when they are used. */
export type Config = ValuesOf<typeof SETTINGS>;

const SERVICE_LINK_HINT =
  ': Kubernetes sets it for a service of that name, unless the pod has `enableServiceLinks: false`';

export const SETTING_ENTRIES = Object.entries(SETTINGS) as [keyof Config, Setting<unknown>][];

/**
 * Reads the settings from environment variables; an empty variable counts as absent.
 * @throws StartError (exit code 2) that names every wrong setting, a line each
 */
export function readConfig(env: Environment): Config {
  const values: Partial<Record<keyof Config, unknown>> = {};
  const errors: string[] = [];
  for (const [name, setting] of SETTING_ENTRIES) {
    const given = env[setting.env];
    if (given === undefined || given === '') {
      values[name] = setting.defaultValue();
      continue;
    }
    try {
      values[name] = setting.parse(given);
    } catch (error) {
      const text = JSON.stringify(redactedValue(given).slice(0, 100));
      const shown = setting.secret ? '' : `, not ${text}`;
      const why = isServiceAddress(setting.env, given) ? SERVICE_LINK_HINT : '';
      errors.push(`${setting.env} ${(error as Error).message}${shown}${why}`);
      values[name] = setting.defaultValue();
    }
  }
  errors.push(...contradictions(values as Config));
  if (errors.length > 0) {
    throw new StartError(`invalid settings:\n  ${errors.join('\n  ')}`, EXIT.configuration);
  }
  return values as Config;
}

/** Variables that look like settings and are none, a line each: worth a warning at the start. */
export function unknownSettings(env: Environment): string[] {
  return strangers(
    env,
    SETTING_ENTRIES.map(([, setting]) => setting.env),
  );
}

/** Settings that are well-formed each, and wrong together. */
function contradictions(config: Config): string[] {
  const found: string[] = [];
  const demand = (holds: boolean, message: string) => holds || found.push(message);
  const samePort = config.port === config.adminPort;
  demand(!samePort, 'FOREBAY_PORT and FOREBAY_ADMIN_PORT must differ');
  demand(
    (config.tlsCertFile === undefined) === (config.tlsKeyFile === undefined),
    'FOREBAY_TLS_CERT_FILE and FOREBAY_TLS_KEY_FILE must be set together',
  );
  demand(
    config.adminToken === undefined || config.adminTokenFile === undefined,
    'FOREBAY_ADMIN_TOKEN and FOREBAY_ADMIN_TOKEN_FILE are mutually exclusive',
  );
  demand(
    config.kafkaSaslPassword === undefined || config.kafkaSaslPasswordFile === undefined,
    'KAFKA_SASL_PASSWORD and KAFKA_SASL_PASSWORD_FILE are mutually exclusive',
  );
  demand(
    config.connectionEventsBurst === 0 || config.connectionEventsPerSecond > 0,
    'FOREBAY_CONNECTION_EVENTS_BURST requires FOREBAY_CONNECTION_EVENTS_PER_SECOND',
  );
  demand(
    config.addressEventsBurst === 0 || config.addressEventsPerSecond > 0,
    'FOREBAY_ADDRESS_EVENTS_BURST requires FOREBAY_ADDRESS_EVENTS_PER_SECOND',
  );
  demandIdentity(config, demand);
  if (config.kafkaSaslMechanism !== undefined) {
    demand(
      config.kafkaSaslUsername !== undefined,
      'KAFKA_SASL_MECHANISM requires KAFKA_SASL_USERNAME',
    );
    demand(
      (config.kafkaSaslPassword ?? config.kafkaSaslPasswordFile) !== undefined,
      'KAFKA_SASL_MECHANISM requires KAFKA_SASL_PASSWORD or KAFKA_SASL_PASSWORD_FILE',
    );
  } else {
    demand(
      config.kafkaSaslUsername === undefined,
      'KAFKA_SASL_USERNAME requires KAFKA_SASL_MECHANISM',
    );
  }
  demand(
    (config.kafkaTlsCertFile === undefined) === (config.kafkaTlsKeyFile === undefined),
    'KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE must be set together',
  );
  demand(
    config.kafkaTls || (config.kafkaTlsCaFile ?? config.kafkaTlsCertFile) === undefined,
    'KAFKA_TLS_*_FILE requires KAFKA_TLS=1',
  );
  demand(
    config.maxFrameBytes <= config.bufferBytes / 64,
    'FOREBAY_MAX_FRAME_BYTES must be at most FOREBAY_BUFFER_BYTES / 64',
  );
  return found;
}
