/**
 * Frames of a zstd body (RFC 8878), found by their headers only. Node.js reports neither a
 * truncated frame nor bytes after the first one, and one large window could take 128 MiB:
 *
 *   magic 4 | descriptor 1 | window 0-1 | dictionary 0-4 | content size 0-8 | blocks | checksum 0-4
 *   block: header 3 (last: bit 0, type: bits 1-2, size: bits 3-23) | content
 */
import { LIMITS } from '../../../config/limits.ts';

/** The reason for rejecting a body. */
export type FrameFault = 'bad_encoding' | 'too_large' | 'too_many_frames' | 'window_too_large';

const MAGIC = 0xfd2fb528;
/** The last four bits of a skippable frame's magic number are arbitrary. */
const SKIPPABLE = 0x184d2a50;
const SKIPPABLE_MASK = 0xfffffff0;
const MAGIC_BYTES = 4;
const SKIPPABLE_HEADER_BYTES = 8;
const BLOCK_HEADER_BYTES = 3;
const CHECKSUM_BYTES = 4;
const SINGLE_SEGMENT = 0x20;
const RESERVED = 0x08;
const CHECKSUM = 0x04;
const DICTIONARY_BYTES = [0, 1, 2, 4] as const;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;
const MIN_WINDOW_LOG = 10;
/** A run of one byte. */
const RLE_BLOCK = 1;
const RESERVED_BLOCK = 3;

/** Splits a body into its frames, without the skippable ones; a fault rejects the whole body. */
export function zstdFrames(body: Buffer): Buffer[] | FrameFault {
  const frames: Buffer[] = [];
  let at = 0;
  do {
    if (at + SKIPPABLE_HEADER_BYTES > body.length) return 'bad_encoding';
    const magic = body.readUInt32LE(at);
    if ((magic & SKIPPABLE_MASK) === SKIPPABLE) {
      at += SKIPPABLE_HEADER_BYTES + body.readUInt32LE(at + MAGIC_BYTES);
      continue;
    }
    const end = magic === MAGIC ? frameEnd(body, at + MAGIC_BYTES) : 'bad_encoding';
    if (typeof end === 'string') return end;
    frames.push(body.subarray(at, end));
    // One frame per event; more would only cost time.
    if (frames.length > LIMITS.bodyEvents) return 'too_many_frames';
    at = end;
  } while (at < body.length);
  return at === body.length ? frames : 'bad_encoding';
}

/** @param start the offset of the descriptor */
function frameEnd(body: Buffer, start: number): number | FrameFault {
  const descriptor = body[start]!;
  if ((descriptor & RESERVED) !== 0) return 'bad_encoding';
  const isSingle = (descriptor & SINGLE_SEGMENT) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 && isSingle ? 1 : CONTENT_SIZE_BYTES[sizeFlag]!;
  const sizeAt = start + (isSingle ? 1 : 2) + DICTIONARY_BYTES[descriptor & 3]!;
  const blocks = sizeAt + sizeBytes;
  if (blocks > body.length) return 'bad_encoding';
  // A single segment has no window of its own: its window is its content.
  if (contentSize(body, sizeAt, sizeBytes) > LIMITS.bodyBytes) return 'too_large';
  if (!isSingle && windowBytes(body[start + 1]!) > LIMITS.zstdWindowBytes) {
    return 'window_too_large';
  }
  const end = blocksEnd(body, blocks) + ((descriptor & CHECKSUM) === 0 ? 0 : CHECKSUM_BYTES);
  return end <= body.length ? end : 'bad_encoding';
}

function contentSize(body: Buffer, at: number, bytes: number): number {
  switch (bytes) {
    case 0:
      return 0;
    case 2:
      return body.readUInt16LE(at) + 0x100;
    case 8:
      return Number(body.readBigUInt64LE(at));
    default:
      return body.readUIntLE(at, bytes);
  }
}

function windowBytes(descriptor: number): number {
  const base = 2 ** (MIN_WINDOW_LOG + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

/** Returns the offset after the last block; infinite if there is none. */
function blocksEnd(body: Buffer, start: number): number {
  let at = start;
  while (at + BLOCK_HEADER_BYTES <= body.length) {
    const header = body.readUIntLE(at, BLOCK_HEADER_BYTES);
    const type = (header >> 1) & 3;
    if (type === RESERVED_BLOCK) break;
    at += BLOCK_HEADER_BYTES + (type === RLE_BLOCK ? 1 : header >> 3);
    if ((header & 1) === 1) return at;
  }
  return Number.POSITIVE_INFINITY;
}
