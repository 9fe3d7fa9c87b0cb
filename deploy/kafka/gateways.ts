/**
 * Gateways started by `make run` in this checkout: `make listen` reads the topic of one. Each has a
 * file, which is not removed when it exits: readers check that its process still runs.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { adminUrl } from '../../src/cli/admin-port.ts';
import { SETTING_ENTRIES, SETTINGS } from '../../src/config/settings.ts';
import { startOf } from './processes.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Recorded facts of a gateway, without secrets. */
export interface GatewayRecord {
  readonly pid: number;
  /** Of `startOf`: process ids are reused. */
  readonly processStart: string;
  readonly startedAtMs: number;
  /** Values of the {@link RECORDED} variables that were set. */
  readonly settings: Readonly<Record<string, string>>;
  /** Names of the Kafka secrets that were set. */
  readonly secrets: readonly string[];
  /** Admin port of a `forebay micro`; absent = a gateway with Kafka. */
  readonly micro?: string;
}

/** Settings for `listen`, and their origin. */
export interface Choice {
  /** Variables to set in addition to those already set. */
  readonly settings: Readonly<Record<string, string>>;
  /** Lines to print: the chosen gateway, the others, and missing settings. */
  readonly notes: readonly string[];
  /** Admin port of the chosen `forebay micro`; absent = a topic is read. */
  readonly micro?: string;
}

const FOR_KAFKA = SETTING_ENTRIES.map(([, setting]) => setting).filter(({ env }) =>
  env.startsWith('KAFKA_'),
);
const SECRETS = FOR_KAFKA.filter(({ secret }) => secret).map(({ env }) => env);
const READ_BY_LISTEN = FOR_KAFKA.filter(({ secret }) => !secret).map(({ env }) => env);
const { env: TOPIC } = SETTINGS.kafkaTopic;
const { env: STREAMS } = SETTINGS.streamsFile;
const { env: SCHEMA } = SETTINGS.eventSchema;
const FOR_EVENTS = [STREAMS, SCHEMA, SETTINGS.keyField.env, SETTINGS.idField.env];
const RECORDED = [...READ_BY_LISTEN, ...FOR_EVENTS, SETTINGS.port.env];

/**
 * Records the gateway that the process `pid` is about to become; its settings are in `env`.
 * @param isMicro it is a `forebay micro`
 */
export function recordGateway(
  folder: string,
  pid: number,
  env: Environment,
  isMicro = false,
): void {
  const processStart = startOf(pid);
  if (processStart === undefined) throw new Error(`no process ${pid}`);
  mkdirSync(folder, { recursive: true });
  for (const { pid: ended } of readRecords(folder).filter((record) => !isRunning(record))) {
    rmSync(fileOf(folder, ended), { force: true });
  }
  const record: GatewayRecord = {
    pid,
    processStart,
    startedAtMs: Date.now(),
    settings: Object.fromEntries(
      // A gateway with a stream file does not write to KAFKA_TOPIC.
      RECORDED.filter((name) => name !== TOPIC || !env[STREAMS]).flatMap((name) =>
        entryOf(env, name),
      ),
    ),
    secrets: SECRETS.filter((name) => env[name]),
    ...(isMicro && { micro: adminUrlIn(env) }),
  };
  const partial = `${fileOf(folder, pid)}.partial`;
  writeFileSync(partial, `${JSON.stringify(record, null, 2)}\n`);
  renameSync(partial, fileOf(folder, pid));
}

/**
 * Chooses the gateway whose topic `listen` reads: one with the port and one of the brokers in
 * `env`, if set there; of several, the one started last. Settings in `env` take precedence.
 * @param running brokers of `make kafka`, used if no gateway runs; undefined if it does not run
 */
export function chooseGateway(
  folder: string,
  env: Environment,
  running: readonly string[] | undefined,
): Choice {
  const records = readRecords(folder).sort((a, b) => b.startedAtMs - a.startedAtMs);
  const all = records.filter(isRunning);
  const fitting = all.filter((record) => fits(record, env));
  const topic = env[TOPIC];
  const chosen = fitting.find((record) => topicOf(record) === topic) ?? fitting[0];
  if (chosen?.micro !== undefined) {
    const { micro } = chosen;
    return { settings: {}, notes: [microNote(chosen, micro)], micro };
  }
  if (chosen !== undefined) {
    const inherited = Object.entries(chosen.settings).filter(([name]) => isInherited(name, env));
    return { settings: Object.fromEntries(inherited), notes: notesOf(chosen, all, env) };
  }
  const ofKafka = env[SETTINGS.kafkaBrokers.env] ? undefined : running?.join(',');
  return {
    settings: ofKafka === undefined ? {} : { [SETTINGS.kafkaBrokers.env]: ofKafka },
    notes: topic || env[STREAMS] ? [] : notesWithout(records, all, env),
  };
}

/** Formats the choice as lines for a POSIX shell. */
export function shellLines({ settings, micro }: Choice): string {
  const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  const exports = Object.entries(settings).map(
    ([name, value]) => `export ${name}=${quoted(value)}\n`,
  );
  // Arguments for `listen`.
  const others = micro === undefined ? [] : [`set -- --micro ${quoted(micro)}\n`];
  return [...exports, ...others].join('');
}

/** Returns the URL of the admin port with the settings in `env`. */
function adminUrlIn(env: Environment): string {
  const { adminHost, adminPort } = SETTINGS;
  return adminUrl({
    adminHost: env[adminHost.env] || adminHost.defaultText,
    adminPort: Number(env[adminPort.env] || adminPort.defaultText),
  });
}

function microNote(record: GatewayRecord, micro: string): string {
  return `forebay micro on port ${portOf(record)} has its events in a log at ${micro}, not in Kafka`;
}

/**
 * Returns whether a setting is neither set nor excluded by `env`: both together would be an error.
 */
function isInherited(name: string, env: Environment): boolean {
  const alternative = name.endsWith('_FILE') ? name.slice(0, -'_FILE'.length) : `${name}_FILE`;
  if (env[name] || env[alternative]) return false;
  if ((name === TOPIC || name === SCHEMA) && env[STREAMS]) return false;
  if (name === STREAMS && (env[TOPIC] || env[SCHEMA])) return false;
  const tls = SETTINGS.kafkaTls.env;
  return !name.startsWith(`${tls}_`) || !/^(0|false)$/.test(env[tls] ?? '');
}

/** Returns whether the gateway has the port and one of the brokers in `env`. */
function fits(record: GatewayRecord, env: Environment): boolean {
  const { [SETTINGS.kafkaBrokers.env]: brokers, [SETTINGS.port.env]: port } = env;
  const own = new Set(addressesIn(brokersOf(record)));
  if (record.micro !== undefined) return !brokers && (!port || port === portOf(record));
  const hasBroker = !brokers || addressesIn(brokers).some((address) => own.has(address));
  return hasBroker && (!port || port === portOf(record));
}

function addressesIn(list: string): string[] {
  const addresses = list.split(',').map((address) => address.trim().toLowerCase());
  return addresses.map((address) => address.replace(/^(localhost|\[::1\]):/, '127.0.0.1:'));
}

function notesOf(chosen: GatewayRecord, all: readonly GatewayRecord[], env: Environment) {
  const told = env[TOPIC];
  const notes = [`the gateway on port ${portOf(chosen)} writes to ${placeOf(chosen)}`];
  if (told && told !== topicOf(chosen)) notes[0] += `; chosen topic: ${told}`;
  const others = all.filter((other) => !told && placeOf(other) !== placeOf(chosen));
  for (const other of others) {
    const command = `FOREBAY_PORT=${portOf(other)} make listen`;
    notes.push(`another gateway writes to ${placeOf(other)}: ${command}`);
  }
  const missing = chosen.secrets.filter((name) => !env[name] && !env[`${name}_FILE`]);
  for (const name of missing)
    notes.push(`${name} of that gateway is not recorded: set it here as well`);
  return notes;
}

/**
 * Notes for reading the default topic although a gateway wrote, or writes, to another one. None if
 * brokers are set: whether they respond is not known yet, and `listen` then names both.
 */
function notesWithout(
  records: readonly GatewayRecord[],
  all: readonly GatewayRecord[],
  env: Environment,
): string[] {
  const fallback = `reading the default topic ${SETTINGS.kafkaTopic.defaultText}`;
  const [last] = all;
  if (last !== undefined) {
    const { [SETTINGS.kafkaBrokers.env]: brokers, [SETTINGS.port.env]: port } = env;
    if (brokers && !port) return [];
    const asked = [SETTINGS.kafkaBrokers.env, SETTINGS.port.env].filter((name) => env[name]);
    const known = all.map((record) => `port ${portOf(record)} writes to ${placeOf(record)}`);
    const what = asked.map((name) => `${name}=${env[name]}`).join(' and ');
    return [`no gateway of make run has ${what} (${known.join('; ')}): ${fallback}`];
  }
  const [ended] = records.filter(
    (record) => record.micro === undefined && fits(record, { ...env, [SETTINGS.port.env]: '' }),
  );
  if (ended === undefined || topicOf(ended) === SETTINGS.kafkaTopic.defaultText) return [];
  const file = ended.settings[STREAMS];
  const choice = file === undefined ? `${TOPIC}=${topicOf(ended)}` : `${STREAMS}=${file}`;
  const command = `${choice} make listen`;
  return [`the gateway that wrote to ${placeOf(ended)} has ended (${command}): ${fallback}`];
}

function placeOf(record: GatewayRecord): string {
  if (record.micro !== undefined) return `the log of forebay micro at ${record.micro}`;
  return `${topicOf(record)} at ${brokersOf(record)}`;
}

/** The topic, or the stream file that names the topics. */
function topicOf({ settings }: GatewayRecord): string {
  const file = settings[STREAMS];
  if (file !== undefined) return `the topics of ${file}`;
  return settings[TOPIC] ?? SETTINGS.kafkaTopic.defaultText;
}

function brokersOf({ settings }: GatewayRecord): string {
  return settings[SETTINGS.kafkaBrokers.env] ?? SETTINGS.kafkaBrokers.defaultText;
}

function portOf({ settings }: GatewayRecord): string {
  return settings[SETTINGS.port.env] ?? SETTINGS.port.defaultText;
}

function entryOf(env: Environment, name: string): [string, string][] {
  const value = env[name];
  return value ? [[name, value]] : [];
}

function fileOf(folder: string, pid: number): string {
  return join(folder, `${pid}.json`);
}

function readRecords(folder: string): GatewayRecord[] {
  return filesIn(folder).flatMap((name) => {
    try {
      const record = JSON.parse(readFileSync(join(folder, name), 'utf8')) as GatewayRecord;
      return isRecord(record) ? [record] : [];
    } catch {
      return [];
    }
  });
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.json'));
  } catch {
    return [];
  }
}

/** False for files written by hand or by another version: they count as no record. */
function isRecord(record: Partial<GatewayRecord> | null): record is GatewayRecord {
  const { pid, processStart, startedAtMs, settings, secrets } = record ?? {};
  return (
    typeof pid === 'number' &&
    typeof processStart === 'string' &&
    typeof startedAtMs === 'number' &&
    typeof settings === 'object' &&
    settings !== null &&
    Array.isArray(secrets)
  );
}

function isRunning({ pid, processStart }: GatewayRecord): boolean {
  return startOf(pid) === processStart;
}
