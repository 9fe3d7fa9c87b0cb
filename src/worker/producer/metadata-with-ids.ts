/**
 * Metadata of version 10, the first with topic ids, which distinguish a topic from a later one of
 * the same name. Lengths of strings and arrays are compact: a varint of the length plus one, where
 * 0 is null. Each structure ends with tagged fields (kafka.apache.org/protocol).
 */
import type { ClusterMetadata } from './kafkajs.ts';
import type { RequestBody } from './protocol.ts';

export const METADATA_WITH_IDS = { apiKey: 3, apiVersion: 10, flexible: true } as const;

const ID_BYTES = 16;
const NO_ID = '0'.repeat(2 * ID_BYTES);
/** Longer varints are not valid lengths. */
const VARINT_BYTES_MAX = 5;
const INT32_BYTES = 4;

/** Encodes a metadata request for these topics that does not create them. */
export function metadataWithIdsBody(topics: readonly string[]): RequestBody {
  const pieces: Buffer[] = [compactLength(topics.length)];
  for (const topic of topics) {
    pieces.push(Buffer.alloc(ID_BYTES), compactLength(topic.length));
    pieces.push(Buffer.from(topic, 'latin1'), Buffer.alloc(1));
  }
  // No topic creation, no authorized operations of cluster or topics, no tagged fields.
  pieces.push(Buffer.alloc(1 + 1 + 1 + 1));
  return [Buffer.concat(pieces)];
}

function compactLength(length: number): Buffer {
  const bytes: number[] = [];
  let rest = length + 1;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}

/**
 * Decodes a Metadata response of version 10, including the tagged fields of its header. Returns
 * error codes; throws for none of them.
 * @throws RangeError if it is truncated or a length is invalid
 */
export function decodeMetadataWithIds(raw: Buffer): ClusterMetadata {
  const reader = new CompactReader(raw);
  reader.skipTags();
  reader.skip(INT32_BYTES); // throttle
  const brokers = reader.array(() => {
    const nodeId = reader.int32();
    const host = reader.string();
    const port = reader.int32();
    reader.string(); // rack
    reader.skipTags();
    return { nodeId, host, port };
  });
  reader.string(); // cluster id
  reader.skip(INT32_BYTES); // controller
  const topicMetadata = reader.array(() => {
    const topicErrorCode = reader.int16();
    const topic = reader.string();
    const id = reader.hex(ID_BYTES);
    reader.skip(1); // internal
    const partitionMetadata = reader.array(() => {
      const partitionErrorCode = reader.int16();
      const partitionId = reader.int32();
      const leader = reader.int32();
      reader.skip(INT32_BYTES); // leader epoch
      for (let list = 0; list < 3; list++) reader.skipInt32s(); // replicas, in-sync, offline
      reader.skipTags();
      return { partitionErrorCode, partitionId, leader };
    });
    reader.skip(INT32_BYTES); // authorized operations
    reader.skipTags();
    return { topicErrorCode, topic, ...(id !== NO_ID && { topicId: id }), partitionMetadata };
  });
  reader.skip(INT32_BYTES); // authorized operations of the cluster
  reader.skipTags();
  return { brokers, topicMetadata };
}

class CompactReader {
  readonly #raw: Buffer;
  #at = 0;

  constructor(raw: Buffer) {
    this.#raw = raw;
  }

  int16(): number {
    return this.#raw.readInt16BE(this.skip(2));
  }

  int32(): number {
    return this.#raw.readInt32BE(this.skip(INT32_BYTES));
  }

  hex(bytes: number): string {
    const from = this.skip(bytes);
    return this.#raw.toString('hex', from, from + bytes);
  }

  /** Decodes a null string as empty. */
  string(): string {
    const bytes = this.#length();
    const from = this.skip(bytes);
    return this.#raw.toString('utf8', from, from + bytes);
  }

  array<T>(item: () => T): T[] {
    const items: T[] = [];
    // Each item takes at least one byte: a wrong count fails at the end of the bytes.
    for (let left = this.#length(); left > 0; left--) items.push(item());
    return items;
  }

  skipInt32s(): void {
    this.skip(INT32_BYTES * this.#length());
  }

  skipTags(): void {
    for (let left = this.#varint(); left > 0; left--) {
      this.#varint();
      this.skip(this.#varint());
    }
  }

  /** @returns the start of the skipped bytes */
  skip(bytes: number): number {
    const from = this.#at;
    if (from + bytes > this.#raw.length) throw new RangeError('the response is cut short');
    this.#at += bytes;
    return from;
  }

  #length(): number {
    return Math.max(0, this.#varint() - 1);
  }

  #varint(): number {
    let value = 0;
    for (let index = 0; index < VARINT_BYTES_MAX; index++) {
      const byte = this.#raw.readUInt8(this.skip(1));
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return value;
    }
    throw new RangeError('the response has an invalid length');
  }
}
