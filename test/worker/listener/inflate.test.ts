import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { KIB, LIMITS, MIB } from '../../../src/limits.ts';
import { type Inflated, Inflater, inflatedBound } from '../../../src/worker/listener/inflate.ts';

const inflater = new Inflater();

async function inflate(body: Buffer): Promise<string> {
  const inflated = await new Promise<Inflated>((resolve) => inflater.inflate(body, resolve));
  return Buffer.isBuffer(inflated) ? `whole: ${inflated}` : inflated;
}

/**
 * What is `bytes` long when inflated and `packedBytes` now: blanks, and text that is not compressed
 * to make up for what blanks do not take.
 */
function packed(bytes: number, packedBytes: number): Buffer {
  let stored = packedBytes - gzipSync(Buffer.alloc(bytes, ' ')).length;
  for (; stored > 0; stored--) {
    const blanks = gzipSync(Buffer.alloc(bytes - stored, ' '));
    const body = Buffer.concat([gzipSync(Buffer.alloc(stored, 'x'), { level: 0 }), blanks]);
    if (body.length === packedBytes) return body;
  }
  throw new Error(`${bytes} do not become ${packedBytes}`);
}

test('gzip, in several members and empty ones too', async () => {
  const hello = gzipSync('hello');
  assert.equal(await inflate(hello), 'whole: hello');
  assert.equal(
    await inflate(Buffer.concat([hello, gzipSync(''), gzipSync(' x')])),
    'whole: hello x',
  );
  assert.equal(await inflate(gzipSync('')), 'whole: ');
});

test('what is broken, cut short, followed by anything or no gzip at all is bad_encoding', async () => {
  const hello = gzipSync('hello');
  for (let end = 0; end < hello.length; end++) {
    assert.equal(await inflate(hello.subarray(0, end)), 'bad_encoding', `cut at ${end}`);
  }
  for (const at of [0, 1, 2, 11, hello.length - 5, hello.length - 1]) {
    const broken = Buffer.from(hello);
    broken[at]! ^= 0xff;
    assert.equal(await inflate(broken), 'bad_encoding', `broken at ${at}`);
  }
  for (const tail of ['x', '\0', '\0\0\0', '\x1f', '\x1f\x8b', '{"a":1}']) {
    const followed = Buffer.concat([hello, Buffer.from(tail, 'latin1')]);
    assert.equal(await inflate(followed), 'bad_encoding', JSON.stringify(tail));
  }
  assert.equal(await inflate(Buffer.from('{"a":1}')), 'bad_encoding');
});

test('the bound: 64 KiB are free, above that 50 times what came, and 1 MiB at the most', () => {
  assert.equal(inflatedBound(1), 64 * KIB);
  assert.equal(inflatedBound(1_311), 65_550);
  assert.equal(inflatedBound(2_000), 100_000);
  assert.equal(inflatedBound(20_971), 1_048_550);
  assert.equal(inflatedBound(20_972), MIB);
  assert.equal(inflatedBound(MIB), MIB);
});

test('exactly the bound is inflated, one byte more is not', async () => {
  const sizes = [
    [64 * KIB, (bytes: number) => packed(bytes, 200)],
    [100_000, (bytes: number) => packed(bytes, 2_000)],
    [
      MIB,
      (bytes: number) =>
        gzipSync(
          randomBytes(bytes / 2 + 1)
            .toString('hex')
            .slice(0, bytes),
        ),
    ],
  ] as const;
  for (const [bound, pack] of sizes) {
    assert.equal((await inflate(pack(bound))).length, 'whole: '.length + bound);
    assert.equal(await inflate(pack(bound + 1)), 'too_large', `${bound + 1}`);
  }
});

test('a bomb is stopped at its bound: it does not become what it could', async () => {
  const bomb = gzipSync(Buffer.alloc(64 * MIB));
  assert(bomb.length < 100 * KIB, `${bomb.length} bytes`);
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  }, 1);
  assert.equal(await inflate(bomb), 'too_large');
  clearInterval(watch);
  assert(most < 8 * MIB, `${most} bytes`);
});

test('all that come are inflated in the end, a few at the same time', async () => {
  const bodies = Array.from({ length: 5 * LIMITS.inflating }, (_, index) => `body ${index}`);
  const done = await Promise.all(bodies.map((body) => inflate(gzipSync(body))));
  assert.deepEqual(
    done,
    bodies.map((body) => `whole: ${body}`),
  );
});
