/**
 * Record headers, encoded without an object per event. The headers of a sender are encoded once and
 * copied; those of an event are written around them, in the order of HEADER_NAMES:
 *
 *   count | fb-received fb-id fb-resent | trace context | sender, stream, schema of a registry |
 *   fb-time content-type fb-schema-error
 */
import assert from 'node:assert/strict';
import { parseAddress, siteOf } from '../../common/ip-addresses.ts';
import { LIMITS } from '../../config/limits.ts';
import { RECEIVED_HEADER, RESENT_HEADER, STREAM_HEADER } from '../../kafka/record-headers.ts';
import { guidHeaderOf, VALUE_SCHEMA_HEADER } from '../../kafka/schema-identity.ts';
import type { HeaderName, RecordFormatSpec } from '../../streams/stream-file.ts';
import { type EncodedHeaders, varintSize, writeVarint } from '../accumulator/records.ts';
import { headerText } from './header-text.ts';
import type { EncodedFacts, Facts, Provenance } from './provenance.ts';

/** Names of the record headers by their names in the stream file. */
export const RECORD_NAMES: Readonly<Record<HeaderName, string>> = {
  received: RECEIVED_HEADER,
  'event-id': 'fb-id',
  resent: RESENT_HEADER,
  traceparent: 'traceparent',
  tracestate: 'tracestate',
  'request-id': 'fb-request',
  identity: 'fb-identity',
  stream: STREAM_HEADER,
  schema: 'fb-schema',
  transport: 'fb-transport',
  instance: 'fb-instance',
  'client-ip': 'fb-ip',
  'user-agent': 'fb-user-agent',
  origin: 'fb-origin',
  referer: 'fb-referer',
};

const TRACE: readonly HeaderName[] = ['traceparent', 'tracestate'];
const OF_EVENT: readonly HeaderName[] = ['received', 'event-id', 'resent'];
/** Number of headers up to which their count takes one byte. */
const COUNT_MAX = 63;
/** `fb-received` has as many digits until the year 2286. */
const TIME_DIGITS = 13;

const ID = encodedName(RECORD_NAMES['event-id']);
const TRACEPARENT = encodedName(RECORD_NAMES.traceparent);
const RECEIVED = encodedName(RECORD_NAMES.received);
const RESENT = encodedHeader(RECORD_NAMES.resent, '1');
const ARRIVAL = encodedHeader('fb-time', 'arrival');
const CONTENT_TYPES = {
  json: encodedHeader('content-type', 'application/json'),
  msgpack: encodedHeader('content-type', 'application/msgpack'),
} as const;
const SCHEMA_ERROR = encodedName('fb-schema-error');
/** Length of a varint that is a value's length. */
const LENGTH_BYTES = varintSize(LIMITS.recordHeaders.valueBytes);

/** Headers of one event. */
export interface EventHeaders {
  /** Text of its id: a range of `source`; a length of -1 or 0 = none. */
  readonly idStart: number;
  readonly idBytes: number;
  /** Its own valid traceparent: a range of `source`; a length of -1 = that of its request. */
  readonly traceStart: number;
  readonly traceBytes: number;
}

/** Encodes the headers of the records of a stream. */
export class HeaderEncoder implements EncodedHeaders {
  /** Headers of the event encoded last. */
  readonly bytes = Buffer.alloc(LIMITS.recordHeaders.bytes);
  #length = 1;
  readonly #ofStream: Facts;
  readonly #trace: readonly HeaderName[];
  readonly #others: readonly HeaderName[];
  readonly #hasFullAddress: boolean;
  readonly #hasReceived: boolean;
  readonly #hasId: boolean;
  readonly #hasResent: boolean;
  /** Header with the identity of the schema; empty = none. */
  readonly #ofSchema: Buffer;
  /** Bytes for the headers of an event. */
  readonly #reserved: number;
  #receivedTime = -1;

  /**
   * @param names in the order of HEADER_NAMES
   * @param ofStream headers that are the same for all events
   * @param ip precision of `client-ip`
   * @param hasSchemaErrors reserves room for {@link addSchemaError}
   * @param schemaGuid of the schema in its registry; undefined = records do not state it
   */
  constructor(
    names: readonly HeaderName[],
    ofStream: Facts,
    ip: RecordFormatSpec['ip'],
    hasSchemaErrors = false,
    schemaGuid?: string,
  ) {
    this.#ofSchema =
      schemaGuid === undefined
        ? Buffer.alloc(0)
        : encodedHeader(VALUE_SCHEMA_HEADER, guidHeaderOf(schemaGuid));
    this.#hasFullAddress = ip === 'full';
    this.#ofStream = ofStream;
    this.#trace = TRACE.filter((name) => names.includes(name));
    this.#others = names.filter((name) => !TRACE.includes(name) && !OF_EVENT.includes(name));
    this.#hasReceived = names.includes('received');
    this.#hasId = names.includes('event-id');
    this.#hasResent = names.includes('resent');
    const id = ID.length + 2 + LIMITS.recordHeaders.idBytes;
    const trace = TRACEPARENT.length + 1 + TRACEPARENT_BYTES;
    const fixed = RECEIVED.length + 1 + TIME_DIGITS + RESENT.length + ARRIVAL.length;
    const error = SCHEMA_ERROR.length + LENGTH_BYTES + LIMITS.recordHeaders.valueBytes;
    const optional = (hasSchemaErrors ? error : 0) + this.#ofSchema.length;
    this.#reserved = 1 + id + trace + fixed + CONTENT_TYPES.msgpack.length + optional;
  }

  get length(): number {
    return this.#length;
  }

  /**
   * Encodes the headers of an event.
   * @param receivedTime arrival of its frame, ms since 1970
   * @param isResent whether it may be a repeat
   * @param source has the ranges of `event`
   * @param isTimed false: its own time was absent or out of bounds
   * @param contentType of its value; undefined = not stated
   */
  encode(
    provenance: Provenance,
    receivedTime: number,
    isResent: boolean,
    source: Uint8Array,
    event: EventHeaders,
    isTimed: boolean,
    contentType: keyof typeof CONTENT_TYPES | undefined,
  ): this {
    const target = this.bytes;
    let at = 1;
    let count = 0;
    if (this.#hasReceived) {
      at = this.#writeReceived(receivedTime);
      count++;
    }
    const { idBytes } = event;
    if (this.#hasId && idBytes > 0 && idBytes <= LIMITS.recordHeaders.idBytes) {
      at = writeValue(target, writeBytes(target, at, ID), source, event.idStart, idBytes);
      count++;
    }
    if (this.#hasResent && isResent) {
      at = writeBytes(target, at, RESENT);
      count++;
    }
    const { encoded } = provenance;
    const facts = encoded?.by === this ? encoded : this.#factsOf(provenance);
    let from = 0;
    if (event.traceBytes >= 0) {
      at = writeBytes(target, at, TRACEPARENT);
      at = writeValue(target, at, source, event.traceStart, event.traceBytes);
      count++;
      from = facts.traceBytes;
    } else count += facts.traceHeaders;
    if (facts.bytes.length > from) at += facts.bytes.copy(target, at, from);
    count += facts.headers;
    if (!isTimed) {
      at = writeBytes(target, at, ARRIVAL);
      count++;
    }
    if (contentType !== undefined) {
      at = writeBytes(target, at, CONTENT_TYPES[contentType]);
      count++;
    }
    assert(at <= target.length && count <= COUNT_MAX, 'the headers of an event have room');
    target[0] = count << 1;
    this.#length = at;
    return this;
  }

  /** Adds the reason why the event encoded last violates its schema, which is cut if necessary. */
  addSchemaError(reason: string): void {
    const target = this.bytes;
    const value = Buffer.from(headerText(reason));
    const at = writeBytes(target, this.#length, SCHEMA_ERROR);
    this.#length = writeValue(target, at, value, 0, value.length);
    target[0]! += 1 << 1;
  }

  /** Writes `fb-received`, unless the last event had the same time. @returns the offset after it */
  #writeReceived(time: number): number {
    const end = 1 + RECEIVED.length + 1 + TIME_DIGITS;
    if (time === this.#receivedTime) return end;
    this.#receivedTime = time;
    const at = writeVarint(this.bytes, writeBytes(this.bytes, 1, RECEIVED), TIME_DIGITS);
    this.bytes.write(String(time), at, TIME_DIGITS, 'latin1');
    return end;
  }

  /** Returns the headers of a sender, encoded now or before. */
  #factsOf(provenance: Provenance): EncodedFacts {
    const known = provenance.encodedBy(this);
    if (known === undefined) return this.#encodeFacts(provenance);
    provenance.encoded = known;
    return known;
  }

  #encodeFacts(provenance: Provenance): EncodedFacts {
    const all = { ...this.#ofStream, ...provenance.facts };
    if (!this.#hasFullAddress) {
      const address = parseAddress(all['client-ip'] ?? '');
      all['client-ip'] = address === undefined ? '' : siteOf(address);
    }
    const room = this.bytes.length - this.#reserved;
    const trace = encodeAll(this.#trace, all, room);
    const others = encodeAll(this.#others, all, room - trace.bytes.length);
    // In memory of its own: a part of the pool would keep all of that for the connection.
    const { length: schemaBytes } = this.#ofSchema;
    const senderBytes = trace.bytes.length + others.bytes.length;
    const bytes = Buffer.allocUnsafeSlow(senderBytes + schemaBytes);
    trace.bytes.copy(bytes);
    others.bytes.copy(bytes, trace.bytes.length);
    this.#ofSchema.copy(bytes, senderBytes);
    const encoded = {
      by: this,
      bytes,
      traceBytes: trace.bytes.length,
      traceHeaders: trace.count,
      headers: others.count + (schemaBytes > 0 ? 1 : 0),
    };
    provenance.keep(encoded);
    return encoded;
  }
}

/** Bytes of a traceparent of version 00. */
export const TRACEPARENT_BYTES = 55;

/** Encodes the known facts of these names, up to the first that does not fit into `room` bytes. */
function encodeAll(names: readonly HeaderName[], facts: Facts, room: number) {
  const parts: Buffer[] = [];
  let left = room;
  for (const name of names) {
    const value = facts[name];
    if (value === undefined || value === '') continue;
    const header = encodedHeader(RECORD_NAMES[name], value);
    if (header.length > left) break;
    left -= header.length;
    parts.push(header);
  }
  return { bytes: Buffer.concat(parts), count: parts.length };
}

/** Returns a header as records contain it. */
export function encodedHeader(name: string, value: string | Buffer): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  const length = Buffer.alloc(varintSize(bytes.length));
  writeVarint(length, 0, bytes.length);
  return Buffer.concat([encodedName(name), length, bytes]);
}

/** Returns the name of a header as records contain it. */
function encodedName(name: string): Buffer {
  const text = Buffer.from(name);
  const length = Buffer.alloc(varintSize(text.length));
  writeVarint(length, 0, text.length);
  return Buffer.concat([length, text]);
}

/** Copies few bytes. @returns the offset after them */
function writeBytes(target: Uint8Array, at: number, bytes: Uint8Array): number {
  let next = at;
  for (let index = 0; index < bytes.length; index++) target[next++] = bytes[index]!;
  return next;
}

/** Writes the length and bytes of a value, a range of `source`. @returns the offset after it */
function writeValue(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  start: number,
  length: number,
): number {
  let next = writeVarint(target, at, length);
  for (let index = 0; index < length; index++) target[next++] = source[start + index]!;
  return next;
}
