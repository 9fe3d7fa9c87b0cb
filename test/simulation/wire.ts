/** The requests of Forebay as a broker reads them, and its answers: bytes, as on a real line. */

import { readRecords } from '../../src/worker/accumulator/records.ts';
import type { TopicRecord } from '../../testing/topic.ts';
import { uncompressed } from '../support/uncompressed.ts';
import { Encoder } from '../worker/kafkajs-protocol.ts';

export const API_KEYS = { produce: 0, metadata: 3, initProducerId: 22 } as const;

/** One batch of a produce request. */
export interface Part {
  readonly partition: number;
  readonly batch: BatchView;
}

export interface ProduceRequest {
  readonly timeoutMs: number;
  readonly parts: readonly Part[];
}

/** A sealed batch, and what a broker reads of its header. */
export interface BatchView {
  readonly bytes: Buffer;
  readonly crc: number;
  readonly producerId: number;
  readonly epoch: number;
  readonly sequence: number;
  readonly records: number;
  readonly firstTimestamp: number;
}

export function viewOf(bytes: Buffer): BatchView {
  return {
    bytes,
    crc: bytes.readUInt32BE(17),
    firstTimestamp: Number(bytes.readBigInt64BE(27)),
    producerId: Number(bytes.readBigInt64BE(43)),
    epoch: bytes.readInt16BE(51),
    sequence: bytes.readInt32BE(53),
    records: bytes.readInt32BE(57),
  };
}

export function decodeProduceRequest(body: Buffer): ProduceRequest {
  const timeoutMs = body.readInt32BE(4);
  let at = 12;
  at += 2 + body.readInt16BE(at);
  const parts: Part[] = [];
  const count = body.readInt32BE(at);
  at += 4;
  for (let index = 0; index < count; index++) {
    const partition = body.readInt32BE(at);
    const length = body.readInt32BE(at + 4);
    at += 8;
    parts.push({ partition, batch: viewOf(body.subarray(at, at + length)) });
    at += length;
  }
  return { timeoutMs, parts };
}

/** @param codes error code by partition; a partition that is not in it is not answered */
export function produceResponse(
  topic: string,
  codes: ReadonlyMap<number, number>,
  throttleMs: number,
): Buffer {
  const response = Buffer.alloc(4 + 2 + topic.length + 4 + codes.size * 30 + 4);
  let at = response.writeInt32BE(1, 0);
  at = response.writeInt16BE(topic.length, at);
  at += response.write(topic, at, 'latin1');
  at = response.writeInt32BE(codes.size, at);
  for (const [partition, code] of codes) {
    at = response.writeInt32BE(partition, at);
    at = response.writeInt16BE(code, at);
    at += 24;
  }
  response.writeInt32BE(throttleMs, at);
  return response;
}

/** Reads {@link produceResponse} back. */
export function codesIn(response: Buffer, topic: string): ReadonlyMap<number, number> {
  const codes = new Map<number, number>();
  let at = 4 + 2 + topic.length + 4;
  for (; at + 30 + 4 <= response.length; at += 30) {
    codes.set(response.readInt32BE(at), response.readInt16BE(at + 4));
  }
  return codes;
}

/** ms for which the broker wants no request. */
export function throttleIn(response: Buffer): number {
  return response.readInt32BE(response.length - 4);
}

export interface MetadataAnswer {
  readonly topic: string;
  readonly topicError: number;
  readonly brokers: readonly { id: number; host: string; port: number }[];
  /** Broker id by partition; -1 = none. */
  readonly leaders: readonly number[];
}

export function metadataResponse({ topic, topicError, brokers, leaders }: MetadataAnswer): Buffer {
  const partitions = leaders.map((leader, partition) =>
    new Encoder()
      .writeInt16(leader < 0 ? 5 : 0)
      .writeInt32(partition)
      .writeInt32(leader)
      .writeArray([])
      .writeArray([]),
  );
  const known = brokers.map(({ id, host, port }) =>
    new Encoder().writeInt32(id).writeString(host).writeInt32(port).writeString(null),
  );
  return new Encoder()
    .writeInt32(0)
    .writeArray(known)
    .writeString('simulated')
    .writeInt32(1)
    .writeArray([
      new Encoder()
        .writeInt16(topicError)
        .writeString(topic)
        .writeBoolean(false)
        .writeArray(topicError === 0 ? partitions : []),
    ]).buffer;
}

export function producerIdResponse(errorCode: number, producerId: number, epoch: number): Buffer {
  const response = Buffer.alloc(4 + 2 + 8 + 2);
  response.writeInt16BE(errorCode, 4);
  response.writeBigInt64BE(BigInt(producerId), 6);
  response.writeInt16BE(epoch, 14);
  return response;
}

/** Text of each record's value, in order; of bytes that are not compressed. */
export function plainValuesIn(bytes: Buffer, records: number): string[] {
  return readRecords(bytes, records).map(({ valueStart, valueBytes }) =>
    bytes.toString('latin1', valueStart, valueStart + valueBytes),
  );
}

/** The same of a batch as it was sent. */
export function valuesIn({ bytes, records }: BatchView): string[] {
  return plainValuesIn(uncompressed(bytes), records);
}

/** Whether a batch has as many records as its header says, and nothing behind them. */
export function isComplete({ bytes, records }: BatchView): boolean {
  const plain = uncompressed(bytes);
  const last = readRecords(plain, records).at(-1)!;
  return last.valueStart + last.valueBytes + 1 === plain.length;
}

/** The records of a partition's log, as a consumer sees them. */
export function* recordsOf(partition: number, log: readonly BatchView[]): Generator<TopicRecord> {
  let offset = 0;
  for (const { bytes: sent, records, firstTimestamp } of log) {
    const bytes = uncompressed(sent);
    for (const slice of readRecords(bytes, records)) {
      const { keyStart, keyBytes, valueStart, valueBytes } = slice;
      yield {
        partition,
        offset: offset++,
        timestamp: firstTimestamp + slice.timestampDelta,
        key: keyBytes < 0 ? null : bytes.subarray(keyStart, keyStart + keyBytes),
        value: bytes.subarray(valueStart, valueStart + valueBytes),
      };
    }
  }
}
