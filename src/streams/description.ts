/** The streams in use as JSON: for GET /streams of the admin port, and to compare files. */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type {
  EventTimeFormat,
  Framing,
  RecordFormatSpec,
  SchemaMode,
  SchemaSource,
  StreamFile,
  StreamSpec,
} from './stream-file.ts';

/**
 * A stream file with all defaults applied, in the names and units of the file. Absent properties
 * have no value.
 */
export interface StreamsDescription {
  /** Number of changes in a gateway, from 1 at its start; absent for a file. */
  readonly version?: number | undefined;
  readonly routing: {
    readonly field?: string | undefined;
    readonly unknown: string;
    /** Stream of dead letters of events that belong to no stream. */
    readonly deadLetter?: string | undefined;
  };
  /** By name, in the order of the file. */
  readonly streams: Readonly<Record<string, StreamDescription>>;
}

/** A stream without its name. */
export interface StreamDescription {
  readonly topic: string;
  readonly match: readonly string[];
  readonly create?: StreamSpec['create'];
  readonly schema?: SchemaFileDescription | undefined;
  readonly schemaMode?: SchemaMode | undefined;
  readonly schemaCandidate?: SchemaFileDescription | undefined;
  /** Fields of the record key, with dots for nested ones; empty = no key. */
  readonly key: readonly string[];
  readonly headers: RecordFormatSpec['headers'];
  /** With dots for nested ones, as all fields. */
  readonly idField: string;
  readonly traceField?: string | undefined;
  readonly time: 'arrival' | (Omit<EventTimeFormat, 'field'> & { readonly field: string });
  readonly ip: RecordFormatSpec['ip'];
  readonly value: RecordFormatSpec['value'];
  readonly limits: StreamSpec['limits'];
  readonly origins?: readonly string[] | undefined;
  readonly access: StreamSpec['access'];
  readonly plain: StreamSpec['plain'];
  readonly deadLetter?: string | undefined;
  readonly internal?: true | undefined;
  readonly owner?: string | undefined;
  readonly required: boolean;
}

/** A schema file by its name without folders, or a version of a subject. */
export interface SchemaFileDescription {
  readonly file?: string | undefined;
  readonly subject?: string | undefined;
  readonly version?: number | undefined;
  /** Id in the registry. */
  readonly id?: number | undefined;
  readonly guid?: string | undefined;
  readonly framing?: Framing | undefined;
  /** SHA-256 of the content. */
  readonly sha256: string | undefined;
}

/** @param version number of the version in a gateway; undefined = the streams of a file */
export function describeStreams(
  { routing, deadLetter, streams }: StreamFile,
  version?: number,
): StreamsDescription {
  return {
    version,
    routing: { field: routing.field?.join('.'), unknown: routing.unknown, deadLetter },
    streams: Object.fromEntries(streams.map((spec) => [spec.name, describeStream(spec)])),
  };
}

function describeStream(spec: StreamSpec): StreamDescription {
  const { schema, key, record } = spec;
  const { headers, idField, traceField, time, ip, value } = record;
  return {
    topic: spec.topic,
    match: spec.match,
    create: spec.create,
    schema: schema && describeSchema(schema),
    schemaMode: schema?.mode,
    schemaCandidate: schema?.candidate && describeSchema(schema.candidate),
    key: key.map((path) => path.join('.')),
    headers,
    idField: idField.join('.'),
    traceField: traceField?.join('.'),
    time: time === undefined ? 'arrival' : { ...time, field: time.field.join('.') },
    ip,
    value,
    limits: spec.limits,
    origins: spec.origins,
    access: spec.access,
    plain: spec.plain,
    deadLetter: spec.deadLetter,
    internal: spec.internal || undefined,
    owner: spec.owner,
    required: spec.required,
  };
}

function describeSchema({ file, text, registered }: SchemaSource): SchemaFileDescription {
  const sha256 = sha256Of(text ?? '');
  if (registered === undefined) return { file: basename(file), sha256 };
  const { subject, version, id, guid, framing } = registered;
  return { subject, version, id, guid, framing, sha256 };
}

function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
