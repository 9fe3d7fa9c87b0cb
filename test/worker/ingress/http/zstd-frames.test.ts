import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LIMITS, MIB } from '../../../../src/config/limits.ts';
import { zstdFrames } from '../../../../src/worker/ingress/http/zstd-frames.ts';

const MAGIC = Buffer.from('28b52ffd', 'hex');
const DICTIONARY_BYTES = [0, 1, 2, 4];

interface Header {
  readonly single: boolean;
  readonly window: number;
  readonly dictionary: number;
  readonly sizeFlag: number;
  readonly checksum: boolean;
}
const PLAIN: Header = { single: false, window: 0, dictionary: 0, sizeFlag: 0, checksum: false };

/** The bytes before the blocks. @param size declared content size */
function headerOf({ single, window, dictionary, sizeFlag, checksum }: Header, size = 0): Buffer {
  const flags = (sizeFlag << 6) | (single ? 0x20 : 0) | (checksum ? 4 : 0) | dictionary;
  const sizeBytes = sizeFlag === 0 ? Number(single) : 2 ** sizeFlag;
  const told = Buffer.alloc(8);
  told.writeBigUInt64LE(BigInt(sizeBytes === 2 ? size - 0x100 : size));
  return Buffer.concat([
    MAGIC,
    Buffer.from(single ? [flags] : [flags, window]),
    Buffer.alloc(DICTIONARY_BYTES[dictionary]!, 7),
    told.subarray(0, sizeBytes),
  ]);
}

/** A block of type raw (0), run-length (1) or compressed (2). */
function blockOf(type: number, size: number, last: boolean): Buffer {
  const header = Buffer.alloc(3);
  header.writeUIntLE((size << 3) | (type << 1) | Number(last), 0, 3);
  return Buffer.concat([header, Buffer.alloc(type === 1 ? 1 : size, 0xff)]);
}

function frameOf(header: Header, blocks: readonly (readonly [number, number])[], size?: number) {
  const written = blocks.map(([type, bytes], index) =>
    blockOf(type, bytes, index === blocks.length - 1),
  );
  const checksum = Buffer.alloc(header.checksum ? 4 : 0, 0x28);
  return Buffer.concat([headerOf(header, size), ...written, checksum]);
}

function skippable(nibble: number, bytes: number): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0x184d2a50 + nibble, 0);
  head.writeUInt32LE(bytes, 4);
  return Buffer.concat([head, Buffer.alloc(bytes, 0xfd)]);
}

const anyFrame = fc
  .record({
    header: fc.record({
      single: fc.boolean(),
      window: fc.integer({ min: 0, max: 13 << 3 }),
      dictionary: fc.nat(3),
      sizeFlag: fc.nat(3),
      checksum: fc.boolean(),
    }),
    blocks: fc.array(fc.tuple(fc.nat(2), fc.nat(70)), { minLength: 1, maxLength: 4 }),
  })
  .map(({ header, blocks }) => frameOf(header, blocks, 0x100));
const anySkippable = fc.tuple(fc.nat(15), fc.nat(40)).map((args) => skippable(...args));
const anyBody = fc.array(
  fc.oneof(
    anyFrame.map((bytes) => ({ bytes, isFrame: true })),
    anySkippable.map((bytes) => ({ bytes, isFrame: false })),
  ),
  { minLength: 1, maxLength: 4 },
);

test('a body is split into its frames, without skippable ones', () => {
  fc.assert(
    fc.property(anyBody, (parts) => {
      const frames = zstdFrames(Buffer.concat(parts.map(({ bytes }) => bytes)));
      const expected = parts.filter(({ isFrame }) => isFrame).map(({ bytes }) => bytes);
      assert.deepEqual(frames, expected);
    }),
  );
});

test('a truncated frame, or one followed by other bytes, is bad_encoding', () => {
  fc.assert(
    fc.property(
      anyFrame,
      fc.nat(),
      fc.uint8Array({ minLength: 1, maxLength: 9 }),
      (frame, cut, tail) => {
        assert.equal(zstdFrames(frame.subarray(0, cut % frame.length)), 'bad_encoding');
        fc.pre(tail[0] !== MAGIC[0] && (tail[0]! & 0xf0) !== 0x50);
        assert.equal(zstdFrames(Buffer.concat([frame, tail])), 'bad_encoding');
      },
    ),
  );
  for (const bytes of [0, 7, 8, 20]) {
    const cut = skippable(3, 13).subarray(0, bytes);
    assert.equal(zstdFrames(cut), 'bad_encoding', `${bytes} bytes of a skippable frame`);
  }
});

test('reserved bits and block types are bad_encoding', () => {
  const frame = frameOf(PLAIN, [[0, 2]]);
  const reserved = Buffer.from(frame);
  reserved[4]! |= 0x08;
  assert.equal(zstdFrames(reserved), 'bad_encoding');
  assert.equal(zstdFrames(frameOf(PLAIN, [[3, 2]])), 'bad_encoding');
  assert.deepEqual(zstdFrames(frame), [frame]);
});

test('a window of 8 MiB is accepted, a larger one is rejected', () => {
  for (const window of [0, 7, 13 << 3]) {
    assert(Array.isArray(zstdFrames(frameOf({ ...PLAIN, window }, [[0, 1]]))), `${window}`);
  }
  for (const window of [(13 << 3) | 1, 14 << 3, 0xff]) {
    const frame = frameOf({ ...PLAIN, window }, [[0, 1]]);
    assert.equal(zstdFrames(frame), 'window_too_large', `${window}`);
  }
});

test('a frame with a declared content above 1 MiB is too_large before decompression', () => {
  for (const single of [false, true]) {
    for (const sizeFlag of [2, 3]) {
      const frame = (size: number) => frameOf({ ...PLAIN, single, sizeFlag }, [[1, 9]], size);
      assert(Array.isArray(zstdFrames(frame(MIB))), 'exactly 1 MiB');
      assert.equal(zstdFrames(frame(MIB + 1)), 'too_large');
      assert.equal(zstdFrames(frame(2 ** 32 - 1)), 'too_large');
    }
  }
  const most = frameOf({ ...PLAIN, sizeFlag: 3 }, [[1, 9]], 0);
  most.fill(0xff, 6, 14);
  assert.equal(zstdFrames(most), 'too_large');
});

test('up to as many frames as events are accepted; a megabyte of empty ones is fast', () => {
  const empty = frameOf(PLAIN, [[0, 0]]);
  const many = (count: number) => zstdFrames(Buffer.concat(Array(count).fill(empty)));
  assert.equal(many(LIMITS.bodyEvents).length, LIMITS.bodyEvents);
  assert.equal(many(LIMITS.bodyEvents + 1), 'too_many_frames');
  const blocks = frameOf(PLAIN, Array(300_000).fill([0, 0]));
  const start = performance.now();
  assert.deepEqual(zstdFrames(blocks)?.length, 1);
  assert(performance.now() - start < 2_000, 'only headers are read');
});
