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
    meaning: 'address that clients connect to',
  }),
  port: integer('FOREBAY_PORT', {
    default: 9000,
    min: 1,
    max: 65_535,
    meaning: 'port that clients connect to',
  }),
  tlsCertFile: optional('FOREBAY_TLS_CERT_FILE', {
    meaning: 'PEM file of the certificate, and of those that vouch for it: clients speak TLS then',
  }),
  tlsKeyFile: optional('FOREBAY_TLS_KEY_FILE', { meaning: 'PEM file of its private key' }),
  adminHost: text('FOREBAY_ADMIN_HOST', {
    default: '127.0.0.1',
    meaning: 'address of the live view, the metrics, the health checks and the commands',
  }),
  adminPort: integer('FOREBAY_ADMIN_PORT', {
    default: 9001,
    min: 1,
    max: 65_535,
    meaning: 'port of the live view, the metrics, the health checks and the commands',
  }),
  adminToken: optional('FOREBAY_ADMIN_TOKEN', {
    meaning: 'what commands must bring as `Authorization: Bearer`; needed beyond loopback',
    secret: true,
    primaryOnly: true,
  }),
  adminTokenFile: optional('FOREBAY_ADMIN_TOKEN_FILE', {
    meaning: 'file that holds that token, instead of FOREBAY_ADMIN_TOKEN',
    primaryOnly: true,
  }),
  adminHosts: hostNames('FOREBAY_ADMIN_HOSTS', {
    meaning:
      'host names, besides addresses and localhost, under which the admin port answers, separated by ' +
      'commas; * = every name',
  }),
  workers: integer('FOREBAY_WORKERS', {
    default: availableCores,
    defaultText: 'available cores',
    min: 1,
    max: 128,
    meaning: 'worker processes; the default knows the cgroup’s CPU quota',
  }),
  ...IDENTITY_SETTINGS,
  bufferBytes: integer('FOREBAY_BUFFER_BYTES', {
    default: 64 * MIB,
    min: 4 * MIB,
    max: FOUR_GIB,
    unit: 'bytes',
    meaning: 'memory per worker for events that are not in Kafka yet, copies of requests included',
  }),
  maxFrameBytes: integer('FOREBAY_MAX_FRAME_BYTES', {
    default: 64 * KIB,
    min: KIB,
    max: 256 * KIB,
    unit: 'bytes',
    meaning: 'longest WebSocket frame, and longest event over HTTP',
  }),
  keyField: text('FOREBAY_KEY_FIELD', {
    default: 'clientId',
    pattern: /^[^.]+(\.[^.]+)*$/,
    expected: 'the name of a field, or names with single dots between them, as user.id',
    meaning: 'field whose text becomes the record’s key; user.id: the field id of the object user',
  }),
  idField: text('FOREBAY_ID_FIELD', {
    default: 'id',
    meaning: 'field by which page, listener and benches tell repeats; the gateway does not read it',
  }),
  eventSchema: optional('FOREBAY_EVENT_SCHEMA', {
    meaning: 'path of a JSON Schema for events; none = the built-in msg, clientId, timestamp',
  }),
  eventTimeoutMs: integer('FOREBAY_EVENT_TIMEOUT_MS', {
    default: 120_000,
    min: 1_000,
    max: 3_600_000,
    unit: 'ms',
    meaning: 'age at which an event that is not stored is refused to its sender',
  }),
  prestopMs: integer('FOREBAY_PRESTOP_MS', {
    default: 0,
    min: 0,
    max: 3_600_000,
    unit: 'ms',
    meaning: 'time between `draining` in /readyz and the begin of a stop, all served meanwhile',
  }),
  drainTimeoutMs: integer('FOREBAY_DRAIN_TIMEOUT_MS', {
    default: 25_000,
    min: 0,
    max: 3_600_000,
    unit: 'ms',
    meaning: 'time for a stop to settle what is in flight; then it ends with exit code 1',
  }),
  drainSpreadMs: integer('FOREBAY_DRAIN_SPREAD_MS', {
    default: 5_000,
    min: 0,
    max: 3_600_000,
    unit: 'ms',
    meaning:
      'clients of a worker that ends are told to connect again after 0 to so long, at random',
  }),
  workerTimeoutMs: integer('FOREBAY_WORKER_TIMEOUT_MS', {
    default: 10_000,
    min: 2_000,
    max: 3_600_000,
    unit: 'ms',
    meaning: 'silence after which a worker hangs: it is killed and replaced',
  }),
  ...LIMIT_SETTINGS,
  httpTimeoutMs: integer('FOREBAY_HTTP_TIMEOUT_MS', {
    default: 15_000,
    min: 100,
    max: 3_600_000,
    unit: 'ms',
    meaning: 'time until an HTTP request is answered; what is open then is `timeout`',
  }),
  kafkaBrokers: addresses('KAFKA_BROKERS', {
    default: ['127.0.0.1:9092'],
    meaning: 'brokers to ask first, host:port separated by commas; IPv6 addresses as [::1]:9092',
  }),
  kafkaTopic: text('KAFKA_TOPIC', {
    default: 'event_topic_newer',
    pattern: /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/,
    expected: 'a topic name: 1 to 249 letters, digits, . _ -, and not . or .. alone',
    meaning: 'topic that events are written to',
  }),
  kafkaTopicPartitions: integer('KAFKA_TOPIC_PARTITIONS', {
    default: 12,
    min: 1,
    max: 10_000,
    meaning: 'partitions of a topic that Forebay creates',
  }),
  kafkaTopicReplication: integer('KAFKA_TOPIC_REPLICATION', {
    default: -1,
    min: 1,
    max: 32,
    also: [-1],
    meaning: 'replication factor of a topic that Forebay creates; -1 = the broker’s default',
  }),
  kafkaCreateTopic: flag('KAFKA_CREATE_TOPIC', {
    default: true,
    meaning: 'create the topic if it does not exist',
  }),
  kafkaClientId: text('KAFKA_CLIENT_ID', {
    default: 'forebay',
    pattern: /^[A-Za-z0-9._-]{1,100}$/,
    expected: '1 to 100 letters, digits, . _ -',
    meaning: 'client id that brokers see in logs and quotas',
  }),
  compression: choice('KAFKA_COMPRESSION', {
    values: ['none', ...CODECS],
    default: 'none',
    meaning: 'how batches are compressed (zstd from Node 22.15 on)',
  }),
  lingerMs: integer('KAFKA_LINGER_MS', {
    default: 10,
    min: 0,
    max: 1_000,
    unit: 'ms',
    meaning:
      'how long an event waits for others at the most: requests to a broker are so far apart; ' +
      '0 when nothing was sent lately',
  }),
  batchBytes: integer('KAFKA_BATCH_BYTES', {
    default: 256 * KIB,
    min: 4 * KIB,
    max: 16 * MIB,
    unit: 'bytes',
    meaning: 'largest batch; never more than the topic’s max.message.bytes',
  }),
  maxRequestBytes: integer('KAFKA_MAX_REQUEST_BYTES', {
    default: 4 * MIB,
    min: 64 * KIB,
    max: 64 * MIB,
    unit: 'bytes',
    meaning: 'largest produce request; never more than the buffer / (16 × brokers)',
  }),
  kafkaTls: flag('KAFKA_TLS', { default: false, meaning: 'speak TLS to the brokers' }),
  kafkaTlsCaFile: optional('KAFKA_TLS_CA_FILE', {
    meaning: 'PEM file of the authority that signed the brokers’ certificates',
  }),
  kafkaTlsCertFile: optional('KAFKA_TLS_CERT_FILE', { meaning: 'PEM file of our certificate' }),
  kafkaTlsKeyFile: optional('KAFKA_TLS_KEY_FILE', { meaning: 'PEM file of our private key' }),
  kafkaSaslMechanism: choice('KAFKA_SASL_MECHANISM', {
    values: ['plain', 'scram-sha-256', 'scram-sha-512'],
    meaning: 'how to authenticate to the brokers',
  }),
  kafkaSaslUsername: optional('KAFKA_SASL_USERNAME', { meaning: 'user name for the brokers' }),
  kafkaSaslPassword: optional('KAFKA_SASL_PASSWORD', {
    meaning: 'password for the brokers',
    secret: true,
  }),
  kafkaSaslPasswordFile: optional('KAFKA_SASL_PASSWORD_FILE', {
    meaning: 'file that holds the password, instead of KAFKA_SASL_PASSWORD',
  }),
  logLevel: choice('LOG_LEVEL', {
    values: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    default: 'info',
    meaning: 'least level of a log line',
  }),
  logPretty: flag('LOG_PRETTY', {
    default: false,
    meaning: 'log lines for people instead of JSON',
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
    throw new StartError(`wrong settings:\n  ${errors.join('\n  ')}`, EXIT.configuration);
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
    'FOREBAY_TLS_CERT_FILE and FOREBAY_TLS_KEY_FILE need each other',
  );
  demand(
    config.adminToken === undefined || config.adminTokenFile === undefined,
    'FOREBAY_ADMIN_TOKEN and FOREBAY_ADMIN_TOKEN_FILE exclude each other',
  );
  demand(
    config.kafkaSaslPassword === undefined || config.kafkaSaslPasswordFile === undefined,
    'KAFKA_SASL_PASSWORD and KAFKA_SASL_PASSWORD_FILE exclude each other',
  );
  demand(
    config.connectionEventsBurst === 0 || config.connectionEventsPerSecond > 0,
    'FOREBAY_CONNECTION_EVENTS_BURST needs FOREBAY_CONNECTION_EVENTS_PER_SECOND',
  );
  demand(
    config.addressEventsBurst === 0 || config.addressEventsPerSecond > 0,
    'FOREBAY_ADDRESS_EVENTS_BURST needs FOREBAY_ADDRESS_EVENTS_PER_SECOND',
  );
  demandIdentity(config, demand);
  if (config.kafkaSaslMechanism !== undefined) {
    demand(
      config.kafkaSaslUsername !== undefined,
      'KAFKA_SASL_MECHANISM needs KAFKA_SASL_USERNAME',
    );
    demand(
      (config.kafkaSaslPassword ?? config.kafkaSaslPasswordFile) !== undefined,
      'KAFKA_SASL_MECHANISM needs KAFKA_SASL_PASSWORD or KAFKA_SASL_PASSWORD_FILE',
    );
  } else {
    demand(
      config.kafkaSaslUsername === undefined,
      'KAFKA_SASL_USERNAME needs KAFKA_SASL_MECHANISM',
    );
  }
  demand(
    (config.kafkaTlsCertFile === undefined) === (config.kafkaTlsKeyFile === undefined),
    'KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE need each other',
  );
  demand(
    config.kafkaTls || (config.kafkaTlsCaFile ?? config.kafkaTlsCertFile) === undefined,
    'KAFKA_TLS_*_FILE needs KAFKA_TLS=1',
  );
  demand(
    config.maxFrameBytes <= config.bufferBytes / 64,
    'FOREBAY_MAX_FRAME_BYTES must be at most FOREBAY_BUFFER_BYTES / 64',
  );
  return found;
}
