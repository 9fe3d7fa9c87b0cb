import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { EventCode } from '../src/common/errors.ts';
import type { Accumulator } from '../src/worker/accumulator/accumulator.ts';
import { type Owner, RecordBatch, type TopicPartition } from '../src/worker/accumulator/batch.ts';
import {
  BATCH_HEADER_BYTES,
  type EncodedHeaders,
  RECORD_OVERHEAD_BYTES_MAX,
  readRecords,
  writeVarint,
} from '../src/worker/accumulator/records.ts';
import { Topic } from '../src/worker/accumulator/topic.ts';
import { ANONYMOUS } from '../src/worker/admission/identity.ts';

/** Content of a record. */
export interface RecordInput {
  /** Undefined = no key */
  readonly key?: Buffer | undefined;
  readonly value: Buffer;
  /** ms since 1970 */
  readonly timestamp: number;
}

/** Partition of batches in tests without a topic. */
export const ANY_PARTITION: TopicPartition = { topic: { name: 'events' }, number: 0 };

/** A topic with `partitions` partitions. */
export function topicOf(partitions: number, name = 'events'): Topic {
  const topic = new Topic(name);
  topic.resize(partitions);
  return topic;
}

export const PLAIN_OWNER: Owner = {
  plain: true,
  transport: 'ws',
  identity: ANONYMOUS,
  accepted: () => {},
  settled: () => true,
  rejected: () => {},
};

/** Encodes the headers of a record. */
export function encodedHeaders(headers: readonly [name: string, value: string][]): EncodedHeaders {
  const varint = (value: number) => {
    const bytes = Buffer.alloc(5);
    return bytes.subarray(0, writeVarint(bytes, 0, value));
  };
  const text = (value: string) => [varint(Buffer.byteLength(value)), Buffer.from(value)];
  const bytes = Buffer.concat([varint(headers.length), ...headers.flat().flatMap(text)]);
  return { bytes, length: bytes.length };
}

/** Appends `value` as event `event` of its own frame. @returns the code of a rejection */
export function appendEvent(
  accumulator: Accumulator,
  topic: Topic,
  key: string | undefined,
  value: Buffer,
  { timestamp = Date.now(), arrivalMs = performance.now(), event = 0 } = {},
): EventCode | undefined {
  accumulator.beginFrame(PLAIN_OWNER, 1, timestamp, arrivalMs, 0);
  return accumulator.append(topic, event, value, 0, value.length, key);
}

/**
 * Returns a batch of `records`; record i is event i of frame 7 and arrived i ms after `arrivalMs`.
 */
export function batchOf(
  records: readonly RecordInput[],
  { owner = PLAIN_OWNER, arrivalMs = 0 }: { owner?: Owner; arrivalMs?: number } = {},
): RecordBatch {
  const room = records.reduce((sum, { key, value }) => {
    return sum + RECORD_OVERHEAD_BYTES_MAX + (key?.length ?? 0) + value.length;
  }, BATCH_HEADER_BYTES);
  const batch = new RecordBatch(Buffer.alloc(room, 0xee), ANY_PARTITION);
  for (const [index, { key, value, timestamp }] of records.entries()) {
    const [source, keyBytes] = [key ?? Buffer.alloc(0), key?.length ?? -1];
    batch.append(timestamp, source, 0, keyBytes, value, 0, value.length);
    batch.addOwner(owner, 7, index, arrivalMs + index, 0);
  }
  return batch;
}

/** Returns a batch of these values without keys. */
export function batchOfValues(values: readonly string[]): RecordBatch {
  return batchOf(values.map((value) => ({ value: Buffer.from(value), timestamp: 1_000 })));
}

/** Records of a batch, as in {@link batchOf}. */
export function recordsOf(batch: RecordBatch): RecordInput[] {
  return readRecords(batch.buffer, batch.records).map((slice) => {
    const { keyStart, keyBytes, valueStart, valueBytes, timestampDelta } = slice;
    return {
      key: keyBytes < 0 ? undefined : batch.buffer.subarray(keyStart, keyStart + keyBytes),
      value: batch.buffer.subarray(valueStart, valueStart + valueBytes),
      timestamp: batch.firstTimestamp + timestampDelta,
    };
  });
}

/** Headers of a record: names and values, in order. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** Headers of each record of a batch. @throws AssertionError unless they end with their record */
export function headersOf({ buffer, records }: RecordBatch): HeaderList[] {
  return readRecords(buffer, records).map(({ valueStart, valueBytes, end }) => {
    let at = valueStart + valueBytes;
    const varint = () => {
      let [value, shift, byte] = [0, 0, 0];
      do {
        byte = buffer[at++]!;
        value |= (byte & 0x7f) << shift;
        shift += 7;
      } while (byte > 0x7f);
      return value >>> 1;
    };
    const text = () => {
      const length = varint();
      const start = at;
      at += length;
      return buffer.toString('utf8', start, at);
    };
    const headers = Array.from({ length: varint() }, () => [text(), text()] as const);
    assert.equal(at, end, 'the headers end with their record');
    return headers;
  });
}

export function valuesOf(batch: RecordBatch): string[] {
  return recordsOf(batch).map(({ value }) => value.toString());
}

const bytes = (maxLength: number) =>
  fc.uint8Array({ maxLength, size: 'max' }).map((value) => Buffer.from(value));

/** Records that can share a batch: without keys, with empty keys, with clocks that step back. */
export const anyRecords: fc.Arbitrary<RecordInput[]> = fc
  .tuple(
    fc.integer({ min: 2 ** 30, max: 2 ** 42 }),
    fc.array(
      fc.record({
        key: fc.option(bytes(20), { nil: undefined }),
        value: bytes(60),
        shift: fc.oneof(
          fc.integer({ min: -100, max: 100 }),
          fc.integer({ min: 1 - 2 ** 29, max: 2 ** 29 - 1 }),
        ),
      }),
      { minLength: 1, maxLength: 16, size: 'max' },
    ),
  )
  .map(([start, inputs]) =>
    inputs.map(({ key, value, shift }, index) => ({
      key,
      value,
      timestamp: index === 0 ? start : start + shift,
    })),
  );
