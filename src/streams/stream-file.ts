/**
 * The stream file in memory: a closed set of streams, each a name that clients use together with
 * the handling of its events. All defaults are applied and all paths are absolute.
 */

/** A checked stream file. */
export interface StreamFile {
  readonly routing: Routing;
  /** Stream of dead letters of events that belong to no stream; undefined = these have none. */
  readonly deadLetter: string | undefined;
  /** In the order of the file; at least one that is not internal. Names are unique. */
  readonly streams: readonly StreamSpec[];
}

/** Choice of the stream of an event whose path names none. */
export interface Routing {
  /** Path of the field whose value is looked up in `match`; undefined = no routing by content. */
  readonly field: FieldPath | undefined;
  /** Stream of events whose field matches no stream; 'refuse' = they are rejected. */
  readonly unknown: string;
}

/** Names from an event's member down to a field: `user.id` is `['user', 'id']`. */
export type FieldPath = readonly string[];

/** Value of {@link Routing.unknown} that names no stream; no stream has this name. */
export const REFUSE = 'refuse';

/** Name of the stream of events that no other source assigns to a stream, where it exists. */
export const DEFAULT_STREAM = 'default';

/** A stream: its name, topic and the handling of its events. */
export interface StreamSpec {
  /** Matches {@link STREAM_NAME}. */
  readonly name: string;
  readonly topic: string;
  /** Values of the routing field; no value belongs to two streams. */
  readonly match: readonly string[];
  /** Creation of a missing topic; undefined = Forebay does not create it. */
  readonly create: TopicCreation | undefined;
  /** JSON Schema of its events; undefined = every object is valid. */
  readonly schema: StreamSchema | undefined;
  /** Fields whose values become the record key, in order; empty = records have no key. */
  readonly key: readonly FieldPath[];
  readonly record: RecordFormatSpec;
  readonly limits: StreamLimits;
  /** Origins of pages that may write, out of FOREBAY_ORIGINS; undefined = all of these. */
  readonly origins: readonly string[] | undefined;
  /** `keyed` requires credentials; `open` accepts clients without. */
  readonly access: 'keyed' | 'open';
  /** Whether clients without acknowledgments may write. */
  readonly plain: 'accept' | 'refuse';
  /** Stream that also receives the events that are rejected for good; undefined = none does. */
  readonly deadLetter: string | undefined;
  /** Only Forebay itself writes to it: no client can name it. */
  readonly internal: boolean;
  /** Team or contact, for operators and alerts. */
  readonly owner: string | undefined;
  /** Whether the instance is ready only while this stream is. */
  readonly required: boolean;
}

/** Headers that records can carry, in the order in which they do. */
export const HEADER_NAMES = [
  'received',
  'event-id',
  'resent',
  'traceparent',
  'tracestate',
  'request-id',
  'identity',
  'stream',
  'schema',
  'transport',
  'instance',
  'client-ip',
  'user-agent',
  'origin',
  'referer',
] as const;

export type HeaderName = (typeof HEADER_NAMES)[number];

/** Form of the records of a stream, apart from their key. */
export interface RecordFormatSpec {
  /** In the order of {@link HEADER_NAMES}. */
  readonly headers: readonly HeaderName[];
  /** Field with the id of an event, for the header `event-id`. */
  readonly idField: FieldPath;
  /** Field with the W3C `traceparent` of an event; undefined = only that of its request counts. */
  readonly traceField: FieldPath | undefined;
  /** Field that becomes the timestamp; undefined = the time of arrival does. */
  readonly time: EventTimeFormat | undefined;
  /** Precision of the header `client-ip`. */
  readonly ip: 'truncated' | 'full';
  /** `json`: MessagePack is stored as JSON; `as-sent`: every event as it was received. */
  readonly value: 'json' | 'as-sent';
}

/** Units of event times; `iso` = a text of RFC 3339. */
export const TIME_UNITS = ['s', 'ms', 'us', 'ns', 'iso'] as const;

/** Time of an event as the timestamp of its record. */
export interface EventTimeFormat {
  readonly field: FieldPath;
  readonly unit: (typeof TIME_UNITS)[number];
  /** Maximum age at arrival, ms. */
  readonly pastMs: number;
  /** Maximum time ahead of the arrival, ms. */
  readonly futureMs: number;
}

/** Records with the value as JSON, the time of arrival and no headers. */
export const PLAIN_RECORDS: RecordFormatSpec = {
  headers: [],
  idField: ['id'],
  traceField: undefined,
  time: undefined,
  ip: 'truncated',
  value: 'json',
};

/** A JSON Schema in a file, or in a schema registry. */
export interface SchemaSource {
  /** Absolute path; for a schema of a registry its subject and version, for messages. */
  readonly file: string;
  /** Its content, which all workers compile; undefined = each reads the file. */
  readonly text: string | undefined;
  /** Undefined = it is in a file. */
  readonly registered?: (RegisteredVersion & { readonly framing: Framing }) | undefined;
}

/** Version of a subject that a stream file can name. */
export type VersionName = 'latest' | number;

/** A schema of a registry, as a stream file names it. */
export interface SchemaName {
  readonly subject: string;
  readonly requested: VersionName;
}

/** A version of a subject. */
export interface RegisteredVersion extends SchemaName {
  readonly version: number;
  /** Id of the schema in the registry: 0 to 2^31 - 1. */
  readonly id: number;
  /** Undefined = the registry has none: Confluent's has since version 8.0. */
  readonly guid: string | undefined;
}

/**
 * Place of the schema's identity in a record: none; before the value, as a zero byte and the id;
 * the header `__value_schema_id`.
 */
export const FRAMINGS = ['raw', 'prefix', 'header'] as const;

export type Framing = (typeof FRAMINGS)[number];

/** Effects of a schema on events that do not match it. */
export const SCHEMA_MODES = ['enforce', 'warn', 'off'] as const;

export type SchemaMode = (typeof SCHEMA_MODES)[number];

/** The schema of a stream. */
export interface StreamSchema extends SchemaSource {
  /** `enforce` rejects events that do not match, `warn` stores and counts them, `off` ignores it. */
  readonly mode: SchemaMode;
  /** A schema that is evaluated too, and only counted; undefined = none. */
  readonly candidate: SchemaSource | undefined;
}

/** Properties of a topic at its creation. */
export interface TopicCreation {
  /** Undefined = KAFKA_TOPIC_PARTITIONS. */
  readonly partitions: number | undefined;
  /** Undefined = KAFKA_TOPIC_REPLICATION. */
  readonly replication: number | undefined;
  /** Topic configuration by name, such as `retention.ms`, as text for Kafka. */
  readonly config: Readonly<Record<string, string>>;
}

/** Limits of a stream, in each worker. */
export interface StreamLimits {
  /** Maximum size of an event; undefined = FOREBAY_MAX_FRAME_BYTES. */
  readonly eventBytes: number | undefined;
  /** Events per second, above it `rate_limited`; undefined = no limit. */
  readonly eventsPerSecond: number | undefined;
  /** Maximum share of FOREBAY_BUFFER_BYTES, above 0 and up to 1. */
  readonly bufferShare: number;
}

/** Names of streams; they appear in paths, metrics and logs. */
export const STREAM_NAME = {
  pattern: /^[a-z0-9][a-z0-9_-]{0,63}$/,
  expected: '1 to 64 lower-case letters, digits, _ -, the first a letter or digit',
} as const;
