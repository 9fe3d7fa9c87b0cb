import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import fc from 'fast-check';
import { EXIT, StartError } from '../../../src/common/errors.ts';
import {
  type Codec,
  type CodecName,
  configuredCodec,
} from '../../../src/kafka/compression/codecs.ts';

const HAS_ZSTD = 'zstdCompressSync' in zlib;

/** Start of each format: its magic number, and for LZ4 the flags that Kafka requires. */
const BEGINNINGS: Readonly<Record<CodecName, RegExp>> = {
  gzip: /^1f8b08/,
  snappy: /^82534e4150505900/,
  // Version 01, independent blocks.
  lz4: /^04224d18[67]/,
  zstd: /^28b52ffd/,
};

const anyBytes = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 3_000, size: 'max' }),
  // Beyond the blocks of 64 KiB of LZ4 and Snappy.
  fc.integer({ min: 60_000, max: 300_000 }).map((length) => Buffer.alloc(length, 'event ')),
);

for (const [name, beginning] of Object.entries(BEGINNINGS) as [CodecName, RegExp][]) {
  const skip = name === 'zstd' && !HAS_ZSTD && 'needs Node.js 22.15';
  describe(name, { skip }, () => {
    const codec = () => configuredCodec(name) as Codec;

    test('compressed data is restored, from the main thread and from another', async () => {
      const bound = codec();
      await fc.assert(
        fc.asyncProperty(anyBytes, async (bytes) => {
          const given = Buffer.from(bytes);
          const here = bound.compressSync(given);
          const there = await bound.compress(given);
          for (const compressed of [here, there]) {
            assert.match(compressed.toString('hex', 0, 16), beginning);
            assert(bound.decompress(compressed).equals(given), `${given.length} bytes`);
          }
        }),
        { numRuns: 40 },
      );
    });

    test('repetitive data gets shorter', () => {
      const events = Buffer.from('{"msg":"hello","clientId":"me"}'.repeat(100));
      assert(codec().compressSync(events).length < events.length / 4, 'much shorter');
    });

    test('data in another format is an error', () => {
      const compressed = codec().compressSync(Buffer.from('x'.repeat(500)));
      compressed.fill(0xff, 0, 8);
      assert.throws(() => codec().decompress(compressed));
    });
  });
}

test('none needs no codec', () => {
  assert.equal(configuredCodec('none'), undefined);
});

test('zstd on a Node.js without it is an invalid setting', { skip: HAS_ZSTD && 'has zstd' }, () => {
  assert.throws(
    () => configuredCodec('zstd'),
    (error: StartError) =>
      error instanceof StartError &&
      error.exitCode === EXIT.configuration &&
      error.message ===
        `KAFKA_COMPRESSION: zstd needs Node.js 22.15 or later, this is ${process.versions.node}`,
  );
});

test('a codec whose package is not installed is an invalid setting, in one line', async (t) => {
  const dist = fileURLToPath(new URL('../../../dist', import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'forebay-codecs-'));
  t.after(() => rmSync(folder, { recursive: true }));
  // A copy without node_modules above it.
  for (const path of ['kafka', 'common', 'config']) {
    cpSync(join(dist, path), join(folder, 'dist', path), { recursive: true });
  }
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  const main = `import { configuredCodec } from './dist/kafka/compression/codecs.js';
    for (const name of ['lz4', 'snappy']) {
      try { configuredCodec(name); } catch (error) { console.log(error.exitCode, error.message); }
    }`;
  const file = join(folder, 'main.js');
  writeFileSync(file, main);
  const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: folder });
  const [lz4 = '', snappy = '', ...more] = stdout.trim().split('\n');
  assert.match(lz4, /^2 KAFKA_COMPRESSION: lz4 needs the npm package lz4-napi \(Cannot find/);
  assert.match(snappy, /^2 KAFKA_COMPRESSION: snappy needs the npm package snappy \(Cannot find/);
  assert.deepEqual(more, []);
});
