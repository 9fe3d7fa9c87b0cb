/** Forebay's requests and a broker's responses as bytes. */

import type { RecordHeader } from '../../src/kafka/record-headers.ts';
import { type RecordSlice, readRecords } from '../../src/worker/accumulator/records.ts';
import type { TopicRecord } from '../../testing/topic.ts';
import { CompactWriter } from '../fakes/broker/compact-writer.ts';
import { AT, type Header, headerOf } from '../fakes/broker/record-batch.ts';
import { uncompressed } from '../support/uncompressed.ts';
import { Encoder } from '../worker/kafkajs-protocol.ts';

export const API_KEYS = { produce: 0, metadata: 3, initProducerId: 22 } as const;

/** One batch of a produce request. */
export interface Part {
  readonly topic: string;
  readonly partition: number;
  readonly batch: BatchView;
}

export interface ProduceRequest {
  readonly timeoutMs: number;
  readonly parts: readonly Part[];
}

/** A sealed batch and its header. */
export interface BatchView extends Omit<Header, 'producerId'> {
  readonly bytes: Buffer;
  readonly crc: number;
  readonly producerId: number;
  /** Time at which a leader appended it, on the monotonic clock. */
  appendedAtMs: number;
}

/** A record of a log. */
export interface LogRecord extends TopicRecord {
  readonly headers: readonly RecordHeader[];
  readonly appendedAtMs: number;
}

export function viewOf(bytes: Buffer): BatchView {
  const header = headerOf(bytes);
  return {
    ...header,
    bytes,
    crc: bytes.readUInt32BE(AT.crc),
    producerId: Number(header.producerId),
    appendedAtMs: Number.NaN,
  };
}

export function decodeProduceRequest(body: Buffer): ProduceRequest {
  const timeoutMs = body.readInt32BE(4);
  let at = 12;
  const parts: Part[] = [];
  for (let topics = body.readInt32BE(8); topics > 0; topics--) {
    const nameBytes = body.readInt16BE(at);
    const topic = body.toString('latin1', at + 2, at + 2 + nameBytes);
    at += 2 + nameBytes;
    const count = body.readInt32BE(at);
    at += 4;
    for (let index = 0; index < count; index++) {
      const partition = body.readInt32BE(at);
      const length = body.readInt32BE(at + 4);
      at += 8;
      parts.push({ topic, partition, batch: viewOf(body.subarray(at, at + length)) });
      at += length;
    }
  }
  return { timeoutMs, parts };
}

/** A topic and partition of a response. */
type Named = Pick<Part, 'topic' | 'partition'>;

export function placeOf({ topic, partition }: Named): string {
  return `${topic}/${partition}`;
}

/** @param codes error codes; a partition without a code is missing in the response */
export function produceResponse(codes: ReadonlyMap<Named, number>, throttleMs: number): Buffer {
  const topics = new Map<string, [partition: number, code: number][]>();
  for (const [{ topic, partition }, code] of codes) {
    const ofTopic = topics.get(topic) ?? [];
    topics.set(topic, ofTopic);
    ofTopic.push([partition, code]);
  }
  const encoded = [...topics].map(([topic, partitions]) =>
    new Encoder()
      .writeString(topic)
      .writeArray(
        partitions.map(([partition, code]) =>
          new Encoder()
            .writeInt32(partition)
            .writeInt16(code)
            .writeInt64(0)
            .writeInt64(0)
            .writeInt64(0),
        ),
      ),
  );
  return new Encoder().writeArray(encoded).writeInt32(throttleMs).buffer;
}

/** Returns the error codes of a {@link produceResponse} by {@link placeOf}. */
export function codesIn(response: Buffer): ReadonlyMap<string, number> {
  const codes = new Map<string, number>();
  let at = 4;
  for (let topics = response.readInt32BE(0); topics > 0; topics--) {
    const nameBytes = response.readInt16BE(at);
    const topic = response.toString('latin1', at + 2, at + 2 + nameBytes);
    at += 2 + nameBytes;
    const count = response.readInt32BE(at);
    at += 4;
    for (let index = 0; index < count; index++, at += 30) {
      const partition = response.readInt32BE(at);
      codes.set(placeOf({ topic, partition }), response.readInt16BE(at + 4));
    }
  }
  return codes;
}

/** Returns the ms for which the broker throttles the client. */
export function throttleIn(response: Buffer): number {
  return response.readInt32BE(response.length - 4);
}

/** Returns the topic names of a metadata request of version 4 or 10. */
export function topicsAsked(body: Buffer, version: number): string[] {
  const names: string[] = [];
  if (version === 4) {
    let at = 4;
    for (let left = body.readInt32BE(0); left > 0; left--) {
      const end = at + 2 + body.readInt16BE(at);
      names.push(body.toString('latin1', at + 2, end));
      at = end;
    }
    return names;
  }
  let at = 1;
  for (let left = body[0]! - 1; left > 0; left--) {
    const end = at + 17 + body[at + 16]! - 1;
    names.push(body.toString('latin1', at + 17, end));
    at = end + 1;
  }
  return names;
}

export interface MetadataAnswer {
  readonly brokers: readonly { id: number; host: string; port: number }[];
  readonly topics: readonly {
    readonly name: string;
    readonly error: number;
    readonly id: number;
    /** Broker id by partition; -1 = none. */
    readonly leaders: readonly number[];
  }[];
}

/** A Metadata response of version 4 or 10, with the tagged fields of its header. */
export function metadataResponse(answer: MetadataAnswer, version: number): Buffer {
  return version === 4 ? metadataResponse4(answer) : metadataResponse10(answer);
}

function metadataResponse4({ topics, brokers }: MetadataAnswer): Buffer {
  const known = brokers.map(({ id, host, port }) =>
    new Encoder().writeInt32(id).writeString(host).writeInt32(port).writeString(null),
  );
  const partitionsOf = (leaders: readonly number[]) =>
    leaders.map((leader, partition) =>
      new Encoder()
        .writeInt16(leader < 0 ? 5 : 0)
        .writeInt32(partition)
        .writeInt32(leader)
        .writeArray([])
        .writeArray([]),
    );
  return new Encoder()
    .writeInt32(0)
    .writeArray(known)
    .writeString('simulated')
    .writeInt32(1)
    .writeArray(
      topics.map(({ name, error, leaders }) =>
        new Encoder()
          .writeInt16(error)
          .writeString(name)
          .writeBoolean(false)
          .writeArray(error === 0 ? partitionsOf(leaders) : []),
      ),
    ).buffer;
}

function metadataResponse10({ topics, brokers }: MetadataAnswer): Buffer {
  const writer = new CompactWriter();
  writer.tags().int32(0);
  writer.array(brokers, ({ id, host, port }) => {
    writer.int32(id).string(host).int32(port).string(null).tags();
  });
  writer.string('simulated').int32(1);
  writer.array(topics, ({ name, error, id, leaders }) => {
    writer.int16(error).string(name);
    writer.raw(Buffer.alloc(12)).int32(id).raw(Buffer.alloc(1));
    writer.array(error === 0 ? leaders.entries() : [], ([partition, leader]) => {
      writer
        .int16(leader < 0 ? 5 : 0)
        .int32(partition)
        .int32(leader)
        .int32(0);
      for (let list = 0; list < 3; list++) writer.array([leader], (each) => writer.int32(each));
      writer.tags();
    });
    writer.int32(0).tags();
  });
  return writer.int32(0).tags().buffer;
}

export function producerIdResponse(errorCode: number, producerId: number, epoch: number): Buffer {
  const response = Buffer.alloc(4 + 2 + 8 + 2);
  response.writeInt16BE(errorCode, 4);
  response.writeBigInt64BE(BigInt(producerId), 6);
  response.writeInt16BE(epoch, 14);
  return response;
}

/** Returns the text of each record's value, in order, from uncompressed bytes. */
export function plainValuesIn(bytes: Buffer, records: number): string[] {
  return readRecords(bytes, records).map(({ valueStart, valueBytes }) =>
    bytes.toString('latin1', valueStart, valueStart + valueBytes),
  );
}

/** Returns the text of each record's value of a batch as sent. */
export function valuesIn({ bytes, records }: BatchView): string[] {
  return plainValuesIn(uncompressed(bytes), records);
}

/** Returns whether a batch has the number of records of its header, and no other bytes. */
export function isComplete({ bytes, records }: BatchView): boolean {
  const plain = uncompressed(bytes);
  const last = readRecords(plain, records).at(-1)!;
  return last.end === plain.length && headersIn(plain, last).end === last.end;
}

/** Returns the timestamp of a batch's oldest record, ms since 1970. */
export function oldestTimestamp({ bytes, records, firstTimestamp }: BatchView): number {
  const slices = readRecords(uncompressed(bytes), records);
  const deltas = slices.map(({ timestampDelta }) => timestampDelta);
  return firstTimestamp + Math.min(...deltas);
}

/** Returns the headers of a record, and the offset after them. */
function headersIn(
  bytes: Buffer,
  { valueStart, valueBytes }: RecordSlice,
): { headers: RecordHeader[]; end: number } {
  let at = valueStart + valueBytes;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
    }
  };
  const take = (length: number) => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  const headers: RecordHeader[] = [];
  for (let left = varint(); left > 0; left--) {
    const name = take(varint()).toString();
    headers.push({ name, value: take(varint()) });
  }
  return { headers, end: at };
}

/** Returns the records of a partition's log as a consumer sees them. */
export function* recordsOf(partition: number, log: readonly BatchView[]): Generator<LogRecord> {
  let offset = 0;
  for (const { bytes: sent, records, firstTimestamp, appendedAtMs } of log) {
    const bytes = uncompressed(sent);
    for (const slice of readRecords(bytes, records)) {
      const { keyStart, keyBytes, valueStart, valueBytes } = slice;
      yield {
        partition,
        offset: offset++,
        timestamp: firstTimestamp + slice.timestampDelta,
        key: keyBytes < 0 ? null : bytes.subarray(keyStart, keyStart + keyBytes),
        value: bytes.subarray(valueStart, valueStart + valueBytes),
        headers: headersIn(bytes, slice).headers,
        appendedAtMs,
      };
    }
  }
}
