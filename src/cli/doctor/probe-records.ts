/** Record batches of one record, and the answer to them. */
import type { Codec } from '../../kafka/compression/codecs.ts';
import {
  BATCH_HEADER_BYTES,
  NO_HEADERS,
  type ProducerStamp,
  recordBodyBytes,
  sealBatch,
  varintSize,
  writeRecord,
} from '../../worker/accumulator/records.ts';
import type { Link } from '../../worker/producer/link.ts';
import { PRODUCE, produceBody } from '../../worker/producer/protocol.ts';
import { DOCTOR_TIMEOUTS } from './limits.ts';

/** Value of a record: long enough that every codec makes it shorter. */
const VALUE = Buffer.from(JSON.stringify({ doctor: 'forebay '.repeat(64) }));

/** Returns a batch with one record without a key. @param codec undefined = not compressed */
export function oneRecord(stamp: ProducerStamp, codec: Codec | undefined): Buffer {
  const bodyBytes = recordBodyBytes(0, 0, -1, VALUE.length, NO_HEADERS.length);
  const plain = Buffer.alloc(BATCH_HEADER_BYTES + varintSize(bodyBytes) + bodyBytes);
  const none = Buffer.alloc(0);
  const at = BATCH_HEADER_BYTES;
  const value = [VALUE, 0, VALUE.length] as const;
  writeRecord(plain, at, bodyBytes, 0, 0, none, 0, -1, ...value, NO_HEADERS);
  const records = plain.subarray(at);
  const content = codec === undefined ? records : codec.compressSync(records);
  const batch = Buffer.concat([Buffer.alloc(at), content]);
  const nowMs = Date.now();
  sealBatch(batch, batch.length, 1, nowMs, nowMs, stamp, codec?.id ?? 0);
  return batch;
}

/** Answer of a broker for one partition. */
export interface StoredAnswer {
  readonly errorCode: number;
  /** Time of the append by the broker’s clock, ms since 1970; negative = the topic has none. */
  readonly appendedAtMs: number;
}

/** Sends one batch as the gateway does. @throws LinkError */
export function produceOne(
  link: Link,
  topic: string,
  partition: number,
  bytes: Buffer,
): Promise<StoredAnswer> {
  const body = produceBody(
    new Map([[topic, [{ partition, bytes }]]]),
    DOCTOR_TIMEOUTS.ackTimeoutMs,
  );
  return link.request(PRODUCE, body, decodeOne, DOCTOR_TIMEOUTS);
}

/** Decodes a Produce response of version 7 about one partition. @throws RangeError */
function decodeOne(raw: Buffer): StoredAnswer {
  const nameBytes = raw.readInt16BE(4);
  const partitionAt = 4 + 2 + nameBytes + 4;
  const errorAt = partitionAt + 4;
  return {
    errorCode: raw.readInt16BE(errorAt),
    appendedAtMs: Number(raw.readBigInt64BE(errorAt + 2 + 8)),
  };
}
