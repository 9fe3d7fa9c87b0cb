/** Values of consumed records, whether stored as JSON, with a prefix or as MessagePack. */
import { isUtf8 } from 'node:buffer';
import { EVENT_CODES } from '../common/errors.ts';
import { isObject, type JsonObject } from '../common/json-object.ts';
import { msgpackToJson } from './msgpack-value.ts';
import { CONTENT_TYPE_HEADER, lastHeader, type RecordHeaders } from './record-headers.ts';
import { PREFIX_BYTES, prefixedId } from './schema-identity.ts';

/** Media type of MessagePack and its synonyms, with or without parameters. */
const MSGPACK = /^\s*application\/(x-|vnd\.)?(msgpack|messagepack)\s*(;|$)/i;

/** Part of a record that determines how to read it. */
export interface StoredValue {
  readonly value: Buffer | null;
  /** Undefined = none. */
  readonly headers?: RecordHeaders;
}

export interface RecordValue {
  /**
   * JSON written from MessagePack, otherwise the stored bytes without a prefix, which may be
   * anything.
   */
  readonly bytes: Buffer | null;
  /** Id of the schema in the prefix of the value; absent = it has none. */
  readonly schemaId?: number;
  /** Reason why MessagePack was not converted; `bytes` are the stored ones then. */
  readonly problem?: string;
}

/**
 * Returns the value without the id of its schema, and with MessagePack as JSON. Never throws,
 * whatever the bytes.
 */
export function readableValue({ value, headers = [] }: StoredValue): RecordValue {
  if (value === null) return { bytes: value };
  if (!MSGPACK.test(lastHeader(headers, CONTENT_TYPE_HEADER) ?? '')) {
    const schemaId = prefixedId(value);
    return schemaId === undefined
      ? { bytes: value }
      : { bytes: value.subarray(PREFIX_BYTES), schemaId };
  }
  try {
    return { bytes: Buffer.from(msgpackToJson(value)) };
  } catch (error) {
    return { bytes: value, problem: `invalid MessagePack: ${(error as Error).message}` };
  }
}

/**
 * Returns the event; undefined if the value is not a JSON object: any producer may write to a
 * topic.
 */
export function eventIn({ bytes, problem }: RecordValue): JsonObject | undefined {
  if (bytes === null || problem !== undefined) return undefined;
  try {
    const event: unknown = JSON.parse(bytes.toString('utf8'));
    return isObject(event) ? event : undefined;
  } catch {
    return undefined;
  }
}

/** Returns the event, or the reason why the gateway would reject these bytes before the schema. */
export function eventOrProblem({ bytes, problem }: RecordValue): JsonObject | string {
  if (problem !== undefined) return problem;
  if (bytes === null) return EVENT_CODES.not_an_object.text;
  if (!isUtf8(bytes)) return EVENT_CODES.invalid_utf8.text;
  let event: unknown;
  try {
    event = JSON.parse(bytes.toString('utf8'));
  } catch {
    return EVENT_CODES.invalid_json.text;
  }
  return isObject(event) ? event : EVENT_CODES.not_an_object.text;
}
