/** Reads record batches, format v2, as a broker; src/worker/accumulator/records.ts draws them. */
import {
  BATCH_HEADER_BYTES,
  type ProducerStamp,
  readRecords,
} from '../../../src/worker/accumulator/records.ts';
import { uncompressed } from '../../support/uncompressed.ts';
import { crc32c } from '../../worker/kafkajs-protocol.ts';

/** Offsets of header fields. */
export const AT = {
  length: 8,
  magic: 16,
  crc: 17,
  attributes: 21,
  firstTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  epoch: 51,
  sequence: 53,
  records: 57,
} as const;

export interface Header extends ProducerStamp {
  readonly records: number;
  readonly firstTimestamp: number;
}

export function headerOf(bytes: Buffer): Header {
  return {
    producerId: bytes.readBigInt64BE(AT.producerId),
    epoch: bytes.readInt16BE(AT.epoch),
    sequence: bytes.readInt32BE(AT.sequence),
    records: bytes.readInt32BE(AT.records),
    firstTimestamp: Number(bytes.readBigInt64BE(AT.firstTimestamp)),
  };
}

/** Returns whether `bytes` are one batch with correct length, format and checksum. */
export function isWhole(bytes: Buffer): boolean {
  if (bytes.length <= BATCH_HEADER_BYTES || bytes[AT.magic] !== 2) return false;
  // The length counts the bytes that follow it.
  if (bytes.readInt32BE(AT.length) !== bytes.length - AT.length - 4) return false;
  return bytes.readUInt32BE(AT.crc) === crc32c(bytes.subarray(AT.attributes)) >>> 0;
}

/** Returns the values of a batch's records. */
export function valuesIn(bytes: Buffer): string[] {
  const plain = uncompressed(bytes);
  return readRecords(plain, headerOf(bytes).records).map(({ valueStart, valueBytes }) =>
    plain.toString('utf8', valueStart, valueStart + valueBytes),
  );
}
