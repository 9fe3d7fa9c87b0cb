/**
 * Requests that the gateway encodes itself: Produce 7, InitProducerId 0, and Metadata 4, or 10
 * (metadata-with-ids.ts) if the broker supports it (kafka.apache.org/protocol).
 */
import assert from 'node:assert/strict';

export const PRODUCE = { apiKey: 0, apiVersion: 7 } as const;
export const METADATA = { apiKey: 3, apiVersion: 4 } as const;
export const INIT_PRODUCER_ID = { apiKey: 22, apiVersion: 0 } as const;

const ACKS_ALL = -1;
const NULL = -1;
const NO_TAGS = 0;
/** Kafka's limit. Topic names are ASCII: length and bytes are equal. */
const TOPIC_LENGTH_MAX = 249;
/** Partition and length before each batch. */
const BATCH_HEAD_BYTES = 8;

/** API key and version of a request. */
export interface Api {
  readonly apiKey: number;
  readonly apiVersion: number;
  /** Headers of request and response have tagged fields. */
  readonly flexible?: true;
}

/** Request without its header, in pieces that are written in order. */
export type RequestBody = readonly Buffer[];

export function bytesOf(body: RequestBody): number {
  let bytes = 0;
  for (const piece of body) bytes += piece.length;
  return bytes;
}

/**
 * Encodes length and header of a request: header version 1, or 2 with tagged fields.
 * @param correlationId first field of the response
 */
export function requestHead(
  { apiKey, apiVersion, flexible }: Api,
  correlationId: number,
  clientId: string,
  body: RequestBody,
): Buffer {
  const clientIdBytes = Buffer.byteLength(clientId);
  const tagsBytes = flexible ? 1 : 0;
  const head = Buffer.allocUnsafe(4 + 2 + 2 + 4 + 2 + clientIdBytes + tagsBytes);
  let at = head.writeInt32BE(head.length - 4 + bytesOf(body), 0);
  at = head.writeInt16BE(apiKey, at);
  at = head.writeInt16BE(apiVersion, at);
  at = head.writeInt32BE(correlationId, at);
  at = head.writeInt16BE(clientIdBytes, at);
  at += head.write(clientId, at);
  if (flexible) head.writeUInt8(NO_TAGS, at);
  return head;
}

/** One batch of a produce request. */
export interface PartitionBytes {
  readonly partition: number;
  readonly bytes: Buffer;
}

/**
 * Encodes the body of a produce request. Batches are not copied: they must not change until the
 * response arrives or the socket closes.
 * @param topics batches by topic name
 * @param timeoutMs time that the broker may wait for its replicas
 */
export function produceBody(
  topics: ReadonlyMap<string, readonly PartitionBytes[]>,
  timeoutMs: number,
): RequestBody {
  let headsBytes = 2 + 2 + 4 + 4; // transaction, acks, time-out, number of topics
  for (const [topic, parts] of topics) {
    assert(parts.length > 0 && topic.length <= TOPIC_LENGTH_MAX, 'each topic has batches');
    headsBytes += 2 + topic.length + 4 + BATCH_HEAD_BYTES * parts.length;
  }
  const heads = Buffer.allocUnsafe(headsBytes);
  let at = heads.writeInt16BE(NULL, 0); // no transaction
  at = heads.writeInt16BE(ACKS_ALL, at);
  at = heads.writeInt32BE(timeoutMs, at);
  at = heads.writeInt32BE(topics.size, at);
  const body: Buffer[] = [];
  let from = 0;
  for (const [topic, parts] of topics) {
    at = heads.writeInt16BE(topic.length, at);
    at += heads.write(topic, at, 'latin1');
    at = heads.writeInt32BE(parts.length, at);
    for (const { partition, bytes } of parts) {
      at = heads.writeInt32BE(partition, at);
      at = heads.writeInt32BE(bytes.length, at);
      body.push(heads.subarray(from, at), bytes);
      from = at;
    }
  }
  return body;
}

/** Decoded produce response. */
export interface ProduceAnswer {
  /** Kafka's error code by topic and partition. */
  readonly errorCodes: ReadonlyMap<string, ReadonlyMap<number, number>>;
  /** Throttle time: the broker reads nothing from this connection meanwhile. */
  readonly throttleMs: number;
}

/** Decodes a Produce response of version 7. @throws RangeError if it is truncated */
export function decodeProduce(raw: Buffer): ProduceAnswer {
  const errorCodes = new Map<string, Map<number, number>>();
  let at = 4;
  for (let topics = raw.readInt32BE(0); topics > 0; topics--) {
    const nameBytes = raw.readInt16BE(at);
    const topic = raw.toString('latin1', at + 2, at + 2 + nameBytes);
    at += 2 + nameBytes;
    const codes = errorCodes.get(topic) ?? new Map<number, number>();
    errorCodes.set(topic, codes);
    const partitions = raw.readInt32BE(at);
    at += 4;
    for (let index = 0; index < partitions; index++) {
      const partition = raw.readInt32BE(at);
      const errorCode = raw.readInt16BE(at + 4);
      codes.set(partition, errorCode);
      at += 4 + 2 + 8 + 8 + 8; // partition, error, base offset, append time, start offset
    }
  }
  return { errorCodes, throttleMs: raw.readInt32BE(at) };
}

/** Encodes a metadata request for these topics that does not create them. */
export function metadataBody(topics: readonly string[]): RequestBody {
  const namesBytes = topics.reduce((sum, topic) => sum + 2 + topic.length, 0);
  const body = Buffer.alloc(4 + namesBytes + 1);
  let at = body.writeInt32BE(topics.length, 0);
  for (const topic of topics) {
    at = body.writeInt16BE(topic.length, at);
    at += body.write(topic, at, 'latin1');
  }
  return [body];
}

/** Encodes a request for a producer id without transactions. */
export function initProducerIdBody(): RequestBody {
  const body = Buffer.alloc(2 + 4);
  body.writeInt16BE(NULL, 0);
  body.writeInt32BE(NULL, 2);
  return [body];
}

export interface ProducerIdAnswer {
  readonly errorCode: number;
  readonly producerId: bigint;
  readonly epoch: number;
}

/** Decodes an InitProducerId response of version 0. @throws RangeError if it is truncated */
export function decodeInitProducerId(raw: Buffer): ProducerIdAnswer {
  return {
    errorCode: raw.readInt16BE(4),
    producerId: raw.readBigInt64BE(6),
    epoch: raw.readInt16BE(14),
  };
}
