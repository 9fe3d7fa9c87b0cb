/** Reading and validation of the stream file. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { EXIT, StartError, systemReason } from '../common/errors.ts';
import { LIMITS } from '../config/limits.ts';
import { textOf } from '../config/secret-files.ts';
import { originOf } from '../config/setting-kinds.ts';
import { inOrder, type Problem, problemLine } from './problem.ts';
import type { RawKey, RawSchema, RawStream, RawStreamFile, RawTime } from './raw-stream-file.ts';
import { type RuleProblems, ruleProblems, type StreamFileContext, schemaFilesIn } from './rules.ts';
import { type RawRegistered, schemaKey, schemaNameOf } from './schema-names.ts';
import {
  type EventTimeFormat,
  type FieldPath,
  HEADER_NAMES,
  PLAIN_RECORDS,
  REFUSE,
  type RecordFormatSpec,
  type SchemaSource,
  type StreamFile,
  type StreamSchema,
  type StreamSpec,
  type TopicCreation,
} from './stream-file.ts';
import { structureProblems } from './structure.ts';
import { TextPositions } from './text-positions.ts';
import { YamlDocument } from './yaml-document.ts';

/** Result for the bytes of a stream file. */
export interface ParsedStreamFile {
  /** Undefined if there are errors. */
  readonly file: StreamFile | undefined;
  /** Every error of the file, by position; beyond LIMITS.streamFile.errors only their number. */
  readonly errors: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/**
 * Parses and validates the bytes of a stream file. Reads the schema files that it names.
 * @param path of the file: relative paths in it start at its folder
 */
export function parseStreamFile(
  bytes: Buffer,
  path: string,
  context: StreamFileContext,
): ParsedStreamFile {
  const { bytes: bytesMax, errors: errorsMax } = LIMITS.streamFile;
  const failed = (errors: readonly Problem[], warnings: readonly Problem[] = []) => {
    const sorted = inOrder(errors);
    const next = sorted[errorsMax];
    const more = next && { ...next, message: `${sorted.length - errorsMax} more errors` };
    const shown = more === undefined ? sorted : [...sorted.slice(0, errorsMax), more];
    return { file: undefined, errors: shown, warnings };
  };
  const atStart = { line: 1, column: 1 };
  if (bytes.length > bytesMax) {
    return failed([{ ...atStart, message: `the file is longer than ${bytesMax} bytes` }]);
  }
  let text: string;
  try {
    text = textOf(bytes);
  } catch (error) {
    const message = `the file ${(error as Error).message}`;
    return failed([{ ...invalidUtf8At(bytes), message }]);
  }
  const document = new YamlDocument(text);
  if (document.value === undefined) return failed(document.problems);
  const folder = dirname(resolve(path));
  const rules = ruleProblems(document, folder, context);
  const errors = [...document.problems, ...structureProblems(document), ...rules.errors];
  const warnings = inOrder(rules.warnings);
  if (errors.length > 0) return failed(errors, warnings);
  const sourceOf = (relative: string) => {
    const file = resolve(folder, relative);
    return { file, text: rules.schemaTexts.get(file) };
  };
  const schemaOf = (raw: RawSchema): StreamSchema => {
    const { mode = 'enforce', candidate } = raw;
    return {
      ...(raw.subject === undefined ? sourceOf(raw.file) : registeredSource(raw, rules)),
      mode,
      candidate: candidate === undefined ? undefined : sourceOf(candidate),
    };
  };
  return { file: build(document, schemaOf, context), errors: [], warnings };
}

function registeredSource(raw: RawRegistered, { registered }: RuleProblems): SchemaSource {
  const found = registered.get(schemaKey(schemaNameOf(raw)));
  assert(found !== undefined, 'the rules require each schema');
  const { text, warnings, ...version } = found;
  const { framing = 'raw' } = raw;
  const file = `${version.subject} version ${version.version}`;
  return { file, text, registered: { ...version, framing } };
}

/** A usable stream file, with its warnings, a line each. */
export interface LoadedStreamFile {
  readonly file: StreamFile;
  readonly warnings: readonly string[];
}

/**
 * Reads the stream file at `path`.
 * @throws StartError that names every error with line and column (exit code 2), or the reason why
 * the file is unreadable (exit code 1)
 */
export function loadStreamFile(path: string, context: StreamFileContext): LoadedStreamFile {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new StartError(`cannot read ${path}: ${systemReason(error)}`, EXIT.failed);
  }
  const { file, errors, warnings } = parseStreamFile(bytes, path, context);
  const lines = (problems: readonly Problem[]) =>
    problems.map((problem) => problemLine(path, problem));
  if (file !== undefined) return { file, warnings: lines(warnings) };
  throw new StartError(lines(errors).join('\n'), EXIT.configuration);
}

/** Returns the absolute paths of the schemas that a stream file names; none if it is unreadable. */
export function schemaPathsOf(path: string): string[] {
  let text: string;
  try {
    const bytes = readFileSync(path);
    if (bytes.length > LIMITS.streamFile.bytes) return [];
    text = textOf(bytes);
  } catch {
    return [];
  }
  const { value } = new YamlDocument(text);
  return [...schemaFilesIn(value, dirname(resolve(path)))];
}

/** Returns the position of the first byte that is not valid UTF-8, or the start. */
function invalidUtf8At(bytes: Buffer): { line: number; column: number } {
  const text = bytes.toString();
  const valid = Buffer.from(text);
  const at = bytes.findIndex((byte, index) => byte !== valid[index]);
  const before = bytes.toString('utf8', 0, Math.max(at, 0));
  return new TextPositions(before).at(before.length);
}

/**
 * Builds the streams of a document without errors.
 * @param schemaOf returns the schema with its files as absolute paths and texts
 */
function build(
  document: YamlDocument,
  schemaOf: (schema: RawSchema) => StreamSchema,
  context: StreamFileContext,
): StreamFile {
  const { routing = {}, defaults = {}, streams } = document.value as RawStreamFile;
  const entries = Object.entries(streams);
  const isSingle = entries.filter(([, { internal }]) => !internal).length === 1;
  const fallback: Defaults = {
    key: defaults.key === undefined ? [pathOf(context.keyField)] : keyOf(defaults.key),
    headers: defaults.headers ?? [],
    idField: pathOf(context.idField),
    bufferShare: isSingle ? 1 : SHARE_OF_SEVERAL,
    deadLetter: defaults.deadLetter,
    access: context.authenticates ? 'keyed' : 'open',
  };
  return {
    routing: {
      field: routing.field === undefined ? undefined : pathOf(routing.field),
      unknown: routing.unknown ?? REFUSE,
    },
    deadLetter: defaults.deadLetter,
    streams: entries.map(([name, raw]): StreamSpec => {
      const { topic, match = [], schema, key, limits = {}, access, plain, owner } = raw;
      const { internal = false } = raw;
      const share = internal ? SHARE_OF_INTERNAL : fallback.bufferShare;
      return {
        name,
        topic,
        match,
        create: creationOf(name, raw, document),
        schema: schema && schemaOf(schema),
        key: internal ? [] : key === undefined ? fallback.key : keyOf(key),
        record: internal ? PLAIN_RECORDS : recordFormatOf(raw, fallback),
        limits: {
          eventBytes: limits.eventBytes,
          eventsPerSecond: limits.eventsPerSecond,
          bufferShare: limits.bufferShare ?? share,
        },
        origins: raw.origins?.map((origin) => originOf(origin) ?? origin),
        access: access ?? fallback.access,
        plain: plain ?? 'accept',
        deadLetter: internal ? undefined : (raw.deadLetter ?? fallback.deadLetter),
        internal,
        owner,
        required: raw.required ?? !internal,
      };
    }),
  };
}

/** Buffer share of each of several streams that state none: one alone cannot fill the buffer. */
const SHARE_OF_SEVERAL = 0.5;
/** Buffer share of an internal stream: events take precedence over their dead letters. */
const SHARE_OF_INTERNAL = 0.1;

/** Numbers whose text Kafka reads as YAML does. */
const DECIMAL = /^-?(0|[1-9]\d*)(\.\d+)?$/;

/** Values of streams that state none. */
interface Defaults {
  readonly key: readonly FieldPath[];
  readonly headers: RecordFormatSpec['headers'];
  readonly idField: FieldPath;
  readonly bufferShare: number;
  readonly access: StreamSpec['access'];
  readonly deadLetter: string | undefined;
}

function creationOf(
  name: string,
  { create }: RawStream,
  document: YamlDocument,
): TopicCreation | undefined {
  if (create === undefined) return undefined;
  const config = Object.entries(create.config ?? {}).map(([property, value]) => {
    const digits = document.digitsOf(['streams', name, 'create', 'config', property]);
    return [property, DECIMAL.test(digits ?? '') ? digits : String(value)];
  });
  return {
    partitions: create.partitions,
    replication: create.replication,
    config: Object.fromEntries(config),
  };
}

function recordFormatOf(raw: RawStream, fallback: Defaults): RecordFormatSpec {
  const { headers = fallback.headers, idField, traceField, time = 'arrival', ip, value } = raw;
  return {
    headers: HEADER_NAMES.filter((name) => headers.includes(name)),
    idField: idField === undefined ? fallback.idField : pathOf(idField),
    traceField: traceField === undefined ? undefined : pathOf(traceField),
    time: time === 'arrival' ? undefined : timeOf(time),
    ip: ip ?? PLAIN_RECORDS.ip,
    value: value ?? PLAIN_RECORDS.value,
  };
}

function timeOf({ field, unit, pastMs, futureMs }: Exclude<RawTime, 'arrival'>): EventTimeFormat {
  const { timePastMs, timeFutureMs } = LIMITS.streamFile;
  return {
    field: pathOf(field),
    unit: unit ?? 'ms',
    pastMs: pastMs ?? timePastMs,
    futureMs: futureMs ?? timeFutureMs,
  };
}

function keyOf(key: RawKey): FieldPath[] {
  if (key === 'none') return [];
  return ('field' in key ? [key.field] : key.fields).map(pathOf);
}

function pathOf(field: string): FieldPath {
  return field.split('.');
}
