/**
 * The three requests that go out on our own connections: Produce 7, Metadata 4, InitProducerId 0
 * (kafka.apache.org/protocol). Bodies only; kafkajs writes the header.
 */
import assert from 'node:assert/strict';
import type { RequestBody } from './kafkajs.ts';

export const PRODUCE = { apiKey: 0, apiVersion: 7, apiName: 'Produce' } as const;
export const METADATA = { apiKey: 3, apiVersion: 4, apiName: 'Metadata' } as const;
export const INIT_PRODUCER_ID = { apiKey: 22, apiVersion: 0, apiName: 'InitProducerId' } as const;

const ACKS_ALL = -1;
const NULL = -1;
const UTF8_TOPIC_MAX = 249;

/** One batch of a produce request. */
export interface PartitionBytes {
  readonly partition: number;
  readonly bytes: Buffer;
}

/** What comes before the first batch: transaction, acks, time-out, topics, topic, partitions. */
function headBytes(topic: string): number {
  return 2 + 2 + 4 + 4 + 2 + topic.length + 4;
}

/** Length of a {@link ProduceBody} with so many batches of `bytes` in all. */
export function produceBodyBytes(topic: string, batches: number, bytes: number): number {
  return headBytes(topic) + 8 * batches + bytes;
}

/**
 * The body of a produce request for one topic. The batches are not copied here: they go straight
 * into kafkajs's buffer, and must not change before the request is written.
 * @param timeoutMs how long the broker may wait for its replicas
 */
export class ProduceBody implements RequestBody {
  readonly length: number;
  readonly #head: Buffer;
  readonly #parts: readonly PartitionBytes[];

  constructor(topic: string, parts: readonly PartitionBytes[], timeoutMs: number) {
    assert(parts.length > 0 && topic.length <= UTF8_TOPIC_MAX, 'a request has batches');
    const head = Buffer.alloc(headBytes(topic));
    let at = head.writeInt16BE(NULL, 0); // no transaction
    at = head.writeInt16BE(ACKS_ALL, at);
    at = head.writeInt32BE(timeoutMs, at);
    at = head.writeInt32BE(1, at);
    at = head.writeInt16BE(topic.length, at);
    at += head.write(topic, at, 'latin1');
    head.writeInt32BE(parts.length, at);
    this.#head = head;
    this.#parts = parts;
    const bytes = parts.reduce((sum, part) => sum + part.bytes.length, 0);
    this.length = produceBodyBytes(topic, parts.length, bytes);
  }

  copy(target: Buffer, targetStart: number): number {
    let at = targetStart + this.#head.copy(target, targetStart);
    for (const { partition, bytes } of this.#parts) {
      at = target.writeInt32BE(partition, at);
      at = target.writeInt32BE(bytes.length, at);
      at += bytes.copy(target, at);
    }
    return at - targetStart;
  }
}

/** What a broker says to a produce request. */
export interface ProduceAnswer {
  /** Kafka's error code by partition. */
  readonly errorCodes: ReadonlyMap<number, number>;
  /** The broker's quota is used up: it reads nothing more from us for so long. */
  readonly throttleMs: number;
}

/**
 * Decodes a Produce response of version 7, as far as it is about `topic`.
 * @throws RangeError when it is cut short
 */
export function decodeProduce(raw: Buffer, topic: string): ProduceAnswer {
  const errorCodes = new Map<number, number>();
  let at = 4;
  for (let topics = raw.readInt32BE(0); topics > 0; topics--) {
    const nameBytes = raw.readInt16BE(at);
    const isOurs = raw.toString('utf8', at + 2, at + 2 + nameBytes) === topic;
    at += 2 + nameBytes;
    const partitions = raw.readInt32BE(at);
    at += 4;
    for (let index = 0; index < partitions; index++) {
      const partition = raw.readInt32BE(at);
      const errorCode = raw.readInt16BE(at + 4);
      if (isOurs) errorCodes.set(partition, errorCode);
      at += 4 + 2 + 8 + 8 + 8; // partition, error, base offset, append time, start offset
    }
  }
  return { errorCodes, throttleMs: raw.readInt32BE(at) };
}

/** The body of a metadata request for one topic that must not create it. */
export function metadataBody(topic: string): RequestBody {
  const body = Buffer.alloc(4 + 2 + topic.length + 1);
  let at = body.writeInt32BE(1, 0);
  at = body.writeInt16BE(topic.length, at);
  body.write(topic, at, 'latin1');
  return body;
}

/** The body of a request for a producer id without a transaction. */
export function initProducerIdBody(): RequestBody {
  const body = Buffer.alloc(2 + 4);
  body.writeInt16BE(NULL, 0);
  body.writeInt32BE(NULL, 2);
  return body;
}

export interface ProducerIdAnswer {
  readonly errorCode: number;
  readonly producerId: bigint;
  readonly epoch: number;
}

/** Decodes an InitProducerId response of version 0. @throws RangeError when it is cut short */
export function decodeInitProducerId(raw: Buffer): ProducerIdAnswer {
  return {
    errorCode: raw.readInt16BE(4),
    producerId: raw.readBigInt64BE(6),
    epoch: raw.readInt16BE(14),
  };
}
