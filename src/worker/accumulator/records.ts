/**
 * Kafka's record batch, format v2 (kafka.apache.org/documentation/#recordbatch):
 *
 *   0  baseOffset 8 | batchLength 4 | partitionLeaderEpoch 4 | magic 1 | crc 4 |
 *   21 attributes 2 | lastOffsetDelta 4 | baseTimestamp 8 | maxTimestamp 8 |
 *   43 producerId 8 | producerEpoch 2 | baseSequence 4 | recordCount 4 | 61 records …
 *
 * A record: length, attributes 1, timestampDelta, offsetDelta, then its *content*: keyLength, key,
 * valueLength, value, headerCount, headers; all but attributes are zigzag varints. A header:
 * nameLength, name, valueLength, value. The CRC-32C covers everything after itself.
 */
import assert from 'node:assert/strict';
import { crc32c } from '@node-rs/crc32';
import { guidIn, VALUE_SCHEMA_HEADER } from '../../kafka/schema-identity.ts';

export const BATCH_HEADER_BYTES = 61;
/** Maximum overhead of a record over key, value and headers: five varints, attributes. */
export const RECORD_OVERHEAD_BYTES_MAX = 5 * 5 + 1;

/** Up to this length, a loop copies faster than a call. */
const SHORT_BYTES = 64;
const BATCH_LENGTH_AT = 8;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const MAGIC = 2;

/** Headers of a record as it contains them: their count, then the headers. */
export interface EncodedHeaders {
  readonly bytes: Buffer;
  /** Bytes in use, at least 1. */
  readonly length: number;
}

export const NO_HEADERS: EncodedHeaders = { bytes: Buffer.of(0), length: 1 };

/** Identity of a batch for the broker's idempotence check. */
export interface ProducerStamp {
  readonly producerId: bigint;
  readonly epoch: number;
  readonly sequence: number;
}

/** Bytes of `value` as a zigzag varint; |value| < 2^30. */
export function varintSize(value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  let size = 1;
  while (rest > 0x7f) {
    rest >>>= 7;
    size++;
  }
  return size;
}

/** Writes `value` as a zigzag varint; |value| < 2^30. @returns the offset after it */
export function writeVarint(target: Uint8Array, at: number, value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  let next = at;
  while (rest > 0x7f) {
    target[next++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[next++] = rest;
  return next;
}

/**
 * Length field of a record with a key of `keyBytes` (-1 = no key), a value of `valueBytes` and
 * encoded headers of `headersBytes`.
 */
export function recordBodyBytes(
  timestampDelta: number,
  offsetDelta: number,
  keyBytes: number,
  valueBytes: number,
  headersBytes: number,
): number {
  return (
    1 + // attributes
    varintSize(timestampDelta) +
    varintSize(offsetDelta) +
    varintSize(keyBytes) +
    Math.max(keyBytes, 0) +
    varintSize(valueBytes) +
    valueBytes +
    headersBytes
  );
}

/**
 * Writes one record. The value is `source[start, end)`; the key is `keyBytes` of `keySource` from
 * `keyStart` on, none for -1. The target must have room.
 * @returns the offset after it
 */
export function writeRecord(
  target: Buffer,
  at: number,
  bodyBytes: number,
  timestampDelta: number,
  offsetDelta: number,
  keySource: Uint8Array,
  keyStart: number,
  keyBytes: number,
  source: Uint8Array,
  start: number,
  end: number,
  headers: EncodedHeaders,
): number {
  let next = writeHead(target, at, bodyBytes, timestampDelta, offsetDelta);
  next = writeVarint(target, next, keyBytes);
  for (let index = 0; index < keyBytes; index++) target[next++] = keySource[keyStart + index]!;
  next = writeVarint(target, next, end - start);
  const isAll = start === 0 && end === source.length;
  // A subarray of a Buffer is one too, which takes longer to create.
  const view = isAll
    ? source
    : new Uint8Array(source.buffer, source.byteOffset + start, end - start);
  target.set(view, next);
  next += end - start;
  if (headers === NO_HEADERS) {
    target[next++] = 0;
    return next;
  }
  const { bytes, length } = headers;
  if (length > SHORT_BYTES) return next + bytes.copy(target, next, 0, length);
  for (let index = 0; index < length; index++) target[next++] = bytes[index]!;
  return next;
}

/**
 * Writes one record with the content of another one, `source[start, end)`. The target must have
 * room.
 * @returns the offset after it
 */
export function writeContent(
  target: Buffer,
  at: number,
  timestampDelta: number,
  offsetDelta: number,
  source: Uint8Array,
  start: number,
  end: number,
): number {
  const content = end - start;
  const bodyBytes = 1 + varintSize(timestampDelta) + varintSize(offsetDelta) + content;
  const next = writeHead(target, at, bodyBytes, timestampDelta, offsetDelta);
  target.set(source.subarray(start, end), next);
  return next + content;
}

/** Writes the parts of a record that depend on its batch. @returns the offset after them */
function writeHead(
  target: Buffer,
  at: number,
  bodyBytes: number,
  timestampDelta: number,
  offsetDelta: number,
): number {
  let next = writeVarint(target, at, bodyBytes);
  target[next++] = 0;
  next = writeVarint(target, next, timestampDelta);
  return writeVarint(target, next, offsetDelta);
}

/**
 * Writes header and checksum of a batch with its records in `buffer[61, length)`.
 * @param firstTimestamp and maxTimestamp: ms since 1970
 * @param codec codec number in the attributes; 0 = uncompressed
 */
export function sealBatch(
  buffer: Buffer,
  length: number,
  recordCount: number,
  firstTimestamp: number,
  maxTimestamp: number,
  stamp: ProducerStamp,
  codec: number,
): void {
  assert(recordCount > 0 && length > BATCH_HEADER_BYTES, 'an empty batch is never sealed');
  assert(length <= buffer.length, 'the batch fits its buffer');
  assert(
    stamp.producerId >= 0n && stamp.epoch >= 0 && stamp.sequence >= 0,
    'the batch has a producer stamp',
  );
  buffer.fill(0, 0, BATCH_LENGTH_AT);
  buffer.writeInt32BE(length - BATCH_LENGTH_AT - 4, BATCH_LENGTH_AT);
  buffer.writeInt32BE(-1, 12);
  buffer[16] = MAGIC;
  buffer.writeInt16BE(codec, ATTRIBUTES_AT);
  buffer.writeInt32BE(recordCount - 1, 23);
  buffer.writeBigInt64BE(BigInt(firstTimestamp), 27);
  buffer.writeBigInt64BE(BigInt(maxTimestamp), 35);
  buffer.writeBigInt64BE(stamp.producerId, 43);
  buffer.writeInt16BE(stamp.epoch, 51);
  buffer.writeInt32BE(stamp.sequence, 53);
  buffer.writeInt32BE(recordCount, 57);
  buffer.writeUInt32BE(crc32c(buffer.subarray(ATTRIBUTES_AT, length)), CRC_AT);
}

/** A record of a batch, as ranges of its buffer. */
export interface RecordSlice {
  readonly timestampDelta: number;
  readonly contentStart: number;
  /** End of the content, and of the record. */
  readonly end: number;
  readonly keyStart: number;
  /** -1 = no key */
  readonly keyBytes: number;
  readonly valueStart: number;
  readonly valueBytes: number;
}

/** Position in the records of a batch. */
class Cursor {
  readonly buffer: Buffer;
  at: number;

  constructor(buffer: Buffer, at: number) {
    this.buffer = buffer;
    this.at = at;
  }

  varint(): number {
    let value = 0;
    let shift = 0;
    for (;;) {
      const byte = this.buffer[this.at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
      shift += 7;
    }
  }

  /** Reads bytes with their length before them. */
  bytes(): Buffer {
    const length = this.varint();
    const start = this.at;
    this.at += length;
    return this.buffer.subarray(start, this.at);
  }
}

/** Parses the records of a batch. */
export function readRecords(buffer: Buffer, recordCount: number): RecordSlice[] {
  const records: RecordSlice[] = [];
  const cursor = new Cursor(buffer, BATCH_HEADER_BYTES);
  for (let index = 0; index < recordCount; index++) {
    const bodyBytes = cursor.varint();
    const end = cursor.at + bodyBytes;
    cursor.at++;
    const timestampDelta = cursor.varint();
    assert(cursor.varint() === index, 'records are in offset order');
    const contentStart = cursor.at;
    const keyBytes = cursor.varint();
    const keyStart = cursor.at;
    cursor.at += Math.max(0, keyBytes);
    const valueBytes = cursor.varint();
    const valueStart = cursor.at;
    cursor.at = end;
    const key = { keyStart, keyBytes };
    records.push({ timestampDelta, contentStart, end, ...key, valueStart, valueBytes });
  }
  return records;
}

/** Returns the headers of a record in their order, as texts; of a schema's identity its GUID. */
export function readHeaders(
  buffer: Buffer,
  { valueStart, valueBytes }: Pick<RecordSlice, 'valueStart' | 'valueBytes'>,
): [name: string, value: string][] {
  const cursor = new Cursor(buffer, valueStart + valueBytes);
  const count = cursor.varint();
  return Array.from({ length: count }, () => {
    const name = cursor.bytes().toString('utf8');
    const value = cursor.bytes();
    const guid = name === VALUE_SCHEMA_HEADER ? guidIn(value) : undefined;
    return [name, guid ?? value.toString('utf8')];
  });
}
