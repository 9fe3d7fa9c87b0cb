/**
 * Kafka's record batch, format v2 (kafka.apache.org/documentation/#recordbatch):
 *
 *   0  baseOffset 8 | batchLength 4 | partitionLeaderEpoch 4 | magic 1 | crc 4 |
 *   21 attributes 2 | lastOffsetDelta 4 | baseTimestamp 8 | maxTimestamp 8 |
 *   43 producerId 8 | producerEpoch 2 | baseSequence 4 | recordCount 4 | 61 records …
 *
 * A record: length, attributes 1, timestampDelta, offsetDelta, keyLength, key, valueLength, value,
 * headerCount; all but attributes are zigzag varints. The CRC-32C covers everything after itself.
 */
import assert from 'node:assert/strict';
import { crc32c } from '@node-rs/crc32';

export const BATCH_HEADER_BYTES = 61;
/** Maximum overhead of a record over key and value: five varints, attributes, header count. */
export const RECORD_OVERHEAD_BYTES_MAX = 5 * 5 + 2;

const BATCH_LENGTH_AT = 8;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const MAGIC = 2;

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

/** Length field of a record with a key of `keyBytes` (-1 = no key) and a value of `valueBytes`. */
export function recordBodyBytes(
  timestampDelta: number,
  offsetDelta: number,
  keyBytes: number,
  valueBytes: number,
): number {
  return (
    2 + // attributes and header count
    varintSize(timestampDelta) +
    varintSize(offsetDelta) +
    varintSize(keyBytes) +
    Math.max(keyBytes, 0) +
    varintSize(valueBytes) +
    valueBytes
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
): number {
  let next = writeVarint(target, at, bodyBytes);
  target[next++] = 0;
  next = writeVarint(target, next, timestampDelta);
  next = writeVarint(target, next, offsetDelta);
  next = writeVarint(target, next, keyBytes);
  for (let index = 0; index < keyBytes; index++) target[next++] = keySource[keyStart + index]!;
  next = writeVarint(target, next, end - start);
  const isAll = start === 0 && end === source.length;
  target.set(isAll ? source : source.subarray(start, end), next);
  next += end - start;
  target[next++] = 0;
  return next;
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
  readonly keyStart: number;
  /** -1 = no key */
  readonly keyBytes: number;
  readonly valueStart: number;
  readonly valueBytes: number;
}

/** Parses the records of a batch written by {@link writeRecord}, for a split. */
export function readRecords(buffer: Uint8Array, recordCount: number): RecordSlice[] {
  const records: RecordSlice[] = [];
  let at = BATCH_HEADER_BYTES;
  const varint = () => {
    let value = 0;
    let shift = 0;
    for (;;) {
      const byte = buffer[at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
      shift += 7;
    }
  };
  for (let index = 0; index < recordCount; index++) {
    varint();
    at++;
    const timestampDelta = varint();
    assert(varint() === index, 'records are in offset order');
    const keyBytes = varint();
    const keyStart = at;
    at += Math.max(0, keyBytes);
    const valueBytes = varint();
    const valueStart = at;
    at += valueBytes + 1;
    records.push({ timestampDelta, keyStart, keyBytes, valueStart, valueBytes });
  }
  return records;
}
