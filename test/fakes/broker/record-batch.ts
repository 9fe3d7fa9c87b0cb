/** What a broker reads of a record batch, format v2; src/worker/accumulator/records.ts draws it. */
import { type ProducerStamp, readRecords } from '../../../src/worker/accumulator/records.ts';
import { uncompressed } from '../../support/uncompressed.ts';
import { crc32c } from '../../worker/kafkajs-protocol.ts';

const HEADER_BYTES = 61;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;

export interface Header extends ProducerStamp {
  readonly records: number;
  readonly firstTimestamp: number;
}

export function headerOf(bytes: Buffer): Header {
  return {
    producerId: bytes.readBigInt64BE(43),
    epoch: bytes.readInt16BE(51),
    sequence: bytes.readInt32BE(53),
    records: bytes.readInt32BE(57),
    firstTimestamp: Number(bytes.readBigInt64BE(27)),
  };
}

/** Whether length, format and checksum of `bytes` are those of one batch. */
export function isWhole(bytes: Buffer): boolean {
  if (bytes.length <= HEADER_BYTES || bytes[16] !== 2) return false;
  if (bytes.readInt32BE(8) !== bytes.length - 12) return false;
  return bytes.readUInt32BE(CRC_AT) === crc32c(bytes.subarray(ATTRIBUTES_AT)) >>> 0;
}

/** Values of a batch's records. */
export function valuesIn(bytes: Buffer): string[] {
  const plain = uncompressed(bytes);
  return readRecords(plain, headerOf(bytes).records).map(({ valueStart, valueBytes }) =>
    plain.toString('utf8', valueStart, valueStart + valueBytes),
  );
}
