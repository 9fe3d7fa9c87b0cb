import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename } from 'node:path';
import type { Config } from '../../config/config.ts';
import { LIMITS } from '../../config/limits.ts';
import { SETTINGS } from '../../config/settings.ts';
import type { Logger } from '../../logging/logger.ts';
import type { Counters } from '../../metrics/counters.ts';
import {
  declaredSlots,
  type MetricSlots,
  NO_STREAM,
  streamCellsOf,
  withStreams,
} from '../../metrics/slots.ts';
import type { SchemaSource, StreamFile, StreamSpec } from '../../streams/stream-file.ts';
import type { Budget } from '../accumulator/budget.ts';
import { BudgetShare } from '../accumulator/budget-share.ts';
import { Topic } from '../accumulator/topic.ts';
import { InternalStream } from '../dead-letters/internal-stream.ts';
import type { RecordFields } from '../decoder/kernel/plan.ts';
import type { Faults } from '../faults.ts';
import { Candidate } from '../intake/candidate.ts';
import { KeylessEvents } from '../intake/keyless-events.ts';
import {
  type LoadedSchema,
  loadSchema,
  loadValidator,
  type Validator,
} from '../intake/validator.ts';
import { Violations } from '../intake/violations.ts';
import { planEvents } from '../schema-plan/plan-events.ts';
import { slowPartsText } from '../schema-plan/plan-schema.ts';
import type { ViolationRecorder } from '../violation-recorder.ts';
import { headerText } from './header-text.ts';
import type { Facts } from './provenance.ts';
import { RecordFormat } from './record-format.ts';
import { Stream, type StreamParts } from './stream.ts';
import { StreamTable } from './stream-table.ts';

/** Streams to create, and what they share. */
export interface StreamDeclarations {
  readonly file: StreamFile;
  /** `file` was read from a stream file; otherwise it has the stream of the settings. */
  readonly areDeclared: boolean;
  /** Replaces the schemas, in tests. */
  readonly validate?: Validator | undefined;
}

/** The part of a stream on which its topic depends. */
export type TopicUser = Pick<StreamSpec, 'topic' | 'required'> & {
  readonly internal?: boolean;
  readonly limits: Pick<StreamSpec['limits'], 'bufferShare'>;
};

/** Streams whose topics a worker needs. */
export interface TopicUsers {
  readonly streams: readonly TopicUser[];
  /** See {@link StreamDeclarations.areDeclared}. */
  readonly areDeclared: boolean;
}

/** Settings on which streams depend. */
export type StreamSettings = Pick<Config, 'maxFrameBytes' | 'instance'>;

/** Returns the name of this instance, as records state it. */
export function instanceName({ instance }: Pick<StreamSettings, 'instance'>): string {
  return instance ?? hostname();
}

/** Counters and logs of the streams. */
export interface StreamReporting {
  readonly counters: Counters;
  readonly faults: Faults;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** List of violations for the live view. */
  readonly violations?: Pick<ViolationRecorder, 'record'> | undefined;
}

/** Log message; the parts say how. */
const PARTS_NEED_VALUES = 'parts of the schema are checked on parsed events, which takes longer';

/** Validates nothing: every object is valid. */
const ACCEPT: Validator = () => undefined;

/**
 * Creates the streams of a worker.
 * @param buffer has the topics of all streams
 * @param previous the streams so far: those that do not change stay
 * @throws StartError if a schema is not usable
 */
export function createStreams(
  { file, areDeclared, validate }: StreamDeclarations,
  { budget, topics }: { readonly budget: Budget; readonly topics: readonly Topic[] },
  settings: StreamSettings,
  reporting: StreamReporting,
  previous?: StreamTable,
): StreamTable {
  const { counters, faults } = reporting;
  const slots = slotsFor(file, areDeclared, counters.slots);
  counters.assign(slots);
  const setting = (areDeclared ? SETTINGS.streamsFile : SETTINGS.eventSchema).env;
  const internal = internalStreams(file, topics, previous);
  const deadLetterOf = (name: string | undefined) =>
    name === undefined ? name : internal.get(name);
  const streams = file.streams.filter(isOpenToClients).map((spec) => {
    const deadLetter = deadLetterOf(spec.deadLetter);
    const topic = topics.find(({ name }) => name === spec.topic);
    assert(topic !== undefined, 'each stream has its topic');
    const before = previous?.find(spec.name);
    const mixes = isMixed(file.streams, spec.topic);
    const mixed = before?.format?.statesContentType ?? false;
    const isKept = before?.topic === topic && before.deadLetter === deadLetter && mixed === mixes;
    const routesAlike = isSame(previous?.routing.field, file.routing.field);
    if (isKept && routesAlike && isSame(before.spec, spec)) return before;
    const cells = streamCellsOf(slots, spec.name);
    const keyNames = spec.key.map((path) => path.join('.')).join(', ');
    const format = formatOf(spec, topic, instanceName(settings), mixes);
    const streamName = areDeclared ? spec.name : undefined;
    const validation = validationOf(spec, { areDeclared, validate }, setting, cells, reporting);
    const fields = recordFieldsOf(spec, format, file.routing.field);
    const plan = planEvents(validation.schema, fields);
    const parts = slowPartsText(plan.slowParts);
    if (parts !== undefined) {
      faults.infoOnce(`${streamName} ${parts}`, { stream: streamName, parts }, PARTS_NEED_VALUES);
    }
    return new Stream(spec, {
      topic,
      cells,
      ...validation,
      profile: plan.event,
      format,
      keyless: new KeylessEvents(keyNames, counters, faults, streamName),
      deadLetter,
      maxEventBytes: settings.maxFrameBytes,
      previous: before,
    });
  });
  for (const { topic, cells } of streams.toReversed()) topic.cells = cells;
  const candidates = streams.flatMap(({ candidate }) => candidate ?? []);
  for (const candidate of candidates) candidate.count = candidates.length;
  for (const { topic, spec } of internal.values()) topic.cells = streamCellsOf(slots, spec.name);
  const deadLetters = { all: internal, ofNoStream: deadLetterOf(file.deadLetter) };
  return new StreamTable(file.routing, streams, areDeclared, budget, deadLetters);
}

/** Returns the internal streams by name; those that do not change stay. */
function internalStreams(
  file: StreamFile,
  topics: readonly Topic[],
  previous: StreamTable | undefined,
): ReadonlyMap<string, InternalStream> {
  const all = new Map<string, InternalStream>();
  for (const spec of file.streams) {
    if (!spec.internal) continue;
    const topic = topics.find(({ name }) => name === spec.topic);
    assert(topic !== undefined, 'each stream has its topic');
    const before = previous?.deadLetters.all.get(spec.name);
    const isKept = before?.topic === topic && isSame(before.spec, spec);
    all.set(spec.name, isKept ? before : new InternalStream(spec, topic, before));
  }
  return all;
}

function isOpenToClients({ internal }: StreamSpec): boolean {
  return !internal;
}

/**
 * Returns how the events of a stream are validated.
 * @param setting that names the schemas
 * @param cells offset of its cells in the metrics
 * @throws StartError if a schema is not usable
 */
function validationOf(
  { name, schema }: StreamSpec,
  { areDeclared, validate }: Pick<StreamDeclarations, 'areDeclared' | 'validate'>,
  setting: string,
  cells: number,
  reporting: StreamReporting,
): Validation {
  const hasNoSchema = areDeclared && schema === undefined;
  const loaded = hasNoSchema ? undefined : loadSchema(schema?.file, setting, schema?.text);
  const matchesSchema = validate ?? loaded?.validate ?? ACCEPT;
  const { mode = 'enforce', candidate: next } = schema ?? {};
  const [active, applied] =
    mode === 'off' ? [ACCEPT, undefined] : [matchesSchema, loaded?.compiled];
  const violations = mode === 'warn' ? new Violations(name, cells, reporting) : undefined;
  if (next === undefined) {
    return { validate: active, matchesSchema, violations, schema: applied };
  }
  const validateNext = loadValidator(next.file, setting, next.text);
  const candidate = new Candidate(name, cells, validateNext, reporting);
  const withCandidate: Validator = (event) => {
    const problem = active(event);
    candidate.offer(event, problem === undefined);
    return problem;
  };
  return { validate: withCandidate, matchesSchema, violations, candidate, schema: applied };
}

/** Validation of the events of a stream. */
interface Validation
  extends Pick<StreamParts, 'validate' | 'matchesSchema' | 'violations' | 'candidate'> {
  /** Schema that applies; undefined = every event is valid. */
  readonly schema: LoadedSchema['compiled'] | undefined;
}

/** Whether two declarations are equal; those of streams with the texts of their schemas. */
function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Returns the slots in use; without a primary that has assigned them, with those of `file`. */
function slotsFor({ streams }: StreamFile, areDeclared: boolean, inUse: MetricSlots): MetricSlots {
  if (!areDeclared) return inUse;
  const names = streams.map(({ name }) => name);
  const slots = inUse.streams[0] === NO_STREAM ? withStreams(inUse, names) : declaredSlots(names);
  assert(slots !== undefined, 'the primary accepts only streams with a slot');
  return slots;
}

/** Room for an event of maximum size: in a batch of twice its size, with overhead and headers. */
const EVENT_ROOM = 4;

/**
 * Creates the topics of streams that do not exist yet. Each has a share of the budget if a stream
 * file declares the streams, since a later version may declare more.
 * @param existing topics that are served already
 */
export function createTopics(
  { streams, areDeclared }: TopicUsers,
  budget: Budget,
  maxEventBytes: number,
  existing: readonly Topic[] = [],
): Topic[] {
  const names = new Set(streams.map(({ topic }) => topic));
  for (const { name } of existing) names.delete(name);
  return [...names].map((name) => {
    const room = EVENT_ROOM * (maxEventBytes + LIMITS.recordHeaders.bytes);
    const share = areDeclared ? new BudgetShare(budget, 1, room) : undefined;
    const isInternal = streams.some(({ topic, internal }) => topic === name && internal === true);
    const topic = new Topic(name, share, true, isInternal);
    assignTopics(streams, [topic]);
    return topic;
  });
}

/**
 * Gives each topic the largest share that one of its streams has, and requires it if one of them
 * does. A topic without a stream keeps its share and is not required.
 */
export function assignTopics(streams: readonly TopicUser[], topics: readonly Topic[]): void {
  for (const topic of topics) {
    const users = streams.filter((stream) => stream.topic === topic.name);
    topic.required = users.some(({ required }) => required);
    if (topic.share === undefined || users.length === 0) continue;
    topic.share.fraction = Math.max(...users.map(({ limits }) => limits.bufferShare));
  }
}

/** Returns the fields of events that records of a stream need, and the one that routes them. */
function recordFieldsOf(
  { key }: StreamSpec,
  format: RecordFormat | undefined,
  routing: readonly string[] | undefined,
): RecordFields {
  return {
    ...format?.fields,
    key: key.map((path) => path.join('.')),
    route: routing?.join('.'),
  };
}

/** Whether a topic may have values in several formats. */
function isMixed(streams: readonly StreamSpec[], topic: string): boolean {
  return streams.some((spec) => spec.topic === topic && spec.record.value === 'as-sent');
}

/** Returns the format of the records of a stream; undefined = plain records. */
function formatOf(
  spec: StreamSpec,
  topic: Topic,
  instance: string,
  isMixed: boolean,
): RecordFormat | undefined {
  const { record, schema, name } = spec;
  const { registered, mode } = schema ?? {};
  const warns = mode === 'warn';
  const isFramed = registered !== undefined && registered.framing !== 'raw';
  const isPlain = record.headers.length === 0 && record.time === undefined;
  if (isPlain && !isMixed && !warns && !isFramed) return undefined;
  const facts: Facts = { stream: name, instance: headerText(instance) };
  const hasSchema = schema !== undefined && record.headers.includes('schema');
  const ofStream = hasSchema ? { ...facts, schema: schemaName(schema) } : facts;
  return new RecordFormat(record, topic, ofStream, isMixed, warns, registered);
}

/** Returns the `$id` of a schema, its subject or its file, with the start of its SHA-256. */
function schemaName({ file, text, registered }: SchemaSource): string {
  const content = text ?? readFileSync(file, 'utf8');
  const schema = JSON.parse(content) as { $id?: unknown } | boolean;
  const id = typeof schema === 'object' ? schema.$id : undefined;
  const hash = createHash('sha256').update(content).digest('hex').slice(0, SCHEMA_HASH_DIGITS);
  const name = typeof id === 'string' ? id : (registered?.subject ?? basename(file));
  const maxBytes = LIMITS.recordHeaders.valueBytes - 1 - SCHEMA_HASH_DIGITS;
  return `${headerText(name, maxBytes)}@${hash}`;
}

const SCHEMA_HASH_DIGITS = 12;
