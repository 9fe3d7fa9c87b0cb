/**
 * Framing of Snappy in Kafka batches: not Snappy's own framing format but that of Java's
 * SnappyOutputStream (xerial): a header, then chunks of raw Snappy, each behind its length.
 *
 *   82 "SNAPPY" 00 | version 4 | compatible with 4 | length 4, raw Snappy | length 4, raw Snappy …
 */
import assert from 'node:assert/strict';

const MAGIC = Buffer.from([0x82, ...Buffer.from('SNAPPY'), 0]);
const HEADER = Buffer.concat([MAGIC, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])]);

/** Frames everything as one chunk: raw Snappy works in blocks of 64 KiB anyway. */
export function xerialFrame(rawSnappy: Buffer): Buffer {
  const length = Buffer.allocUnsafe(4);
  length.writeInt32BE(rawSnappy.length);
  return Buffer.concat([HEADER, length, rawSnappy]);
}

/** Splits a frame into chunks; without a header it is a single chunk, as some clients send it. */
export function xerialChunks(frame: Buffer): Buffer[] {
  if (!frame.subarray(0, MAGIC.length).equals(MAGIC)) return [frame];
  const chunks: Buffer[] = [];
  for (let at = HEADER.length; at < frame.length; ) {
    const end = at + 4 + frame.readInt32BE(at);
    assert(end > at && end <= frame.length, 'a chunk ends within its frame');
    chunks.push(frame.subarray(at + 4, end));
    at = end;
  }
  return chunks;
}
