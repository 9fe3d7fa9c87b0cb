import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import zlib from 'node:zlib';
import { KIB, LIMITS, MIB } from '../../../../src/config/limits.ts';
import {
  ENCODINGS,
  type Encoding,
  type InflateResult,
  Inflater,
} from '../../../../src/worker/ingress/http/inflate.ts';
import type { ResponseContent } from '../../../../src/worker/ingress/http/responses.ts';
import { missingTool } from '../../../../testing/tools.ts';
import { HAS_ZSTD, NEEDS_ZSTD, zstdCompressSync } from '../../../support/zstd.ts';

const inflater = new Inflater();

function run(encoding: Encoding, body: Buffer): Promise<InflateResult> {
  const grown = () => {};
  return new Promise((done) => inflater.inflate('', encoding, body, { progress: grown, done }));
}

const codeOf = ({ status, code }: ResponseContent) => `${status} ${code}`;

/** Returns the text, or status and code of the response. */
async function inflate(encoding: Encoding, body: Buffer): Promise<string> {
  const inflated = await run(encoding, body);
  return Buffer.isBuffer(inflated) ? `whole: ${inflated}` : codeOf(inflated);
}

const TOO_LARGE = '413 too_large';
const BAD = '400 bad_encoding';

type Pack = (bytes: Buffer) => Buffer;
const BROTLI_QUICK = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 5 } };
/** Every way to write an encoding. */
const WAYS: readonly [string, Encoding, Pack][] = [
  ['gzip', 'gzip', zlib.gzipSync],
  ['deflate with the header of zlib', 'deflate', zlib.deflateSync],
  ['raw deflate', 'deflate', zlib.deflateRawSync],
  ['stored raw deflate', 'deflate', (bytes) => zlib.deflateRawSync(bytes, { level: 0 })],
  ['brotli', 'br', (bytes) => zlib.brotliCompressSync(bytes, BROTLI_QUICK)],
  ['zstd', 'zstd', zstdCompressSync],
];

for (const [name, encoding, pack] of WAYS) {
  describe(name, { skip: encoding === 'zstd' && NEEDS_ZSTD }, () => {
    test('data of any kind and length is decompressed', async () => {
      for (const bytes of [
        Buffer.alloc(0),
        Buffer.from('{"msg":"ä€😀"}'),
        randomBytes(100),
        randomBytes(300 * KIB),
        Buffer.alloc(MIB, '{"a":1}\n'),
      ]) {
        const inflated = await run(encoding, pack(bytes));
        assert(Buffer.isBuffer(inflated) && inflated.equals(bytes), `${bytes.length} bytes`);
      }
    });

    test('exactly 1 MiB is accepted, however well it compresses; one byte more is too_large', async () => {
      const noise = randomBytes(MIB / 2 + 1).toString('hex');
      for (const text of [' '.repeat(MIB + 1), noise.slice(0, MIB + 1)]) {
        const whole = await inflate(encoding, pack(Buffer.from(text.slice(0, MIB))));
        assert.equal(whole.length, 'whole: '.length + MIB);
        assert.equal(await inflate(encoding, pack(Buffer.from(text))), TOO_LARGE);
      }
    });

    test('truncated data is bad_encoding', async () => {
      const packed = pack(Buffer.from('hello hello hello hello, and another hello'));
      for (let end = 0; end < packed.length; end++) {
        assert.equal(await inflate(encoding, packed.subarray(0, end)), BAD, `cut at ${end}`);
      }
    });

    test('trailing bytes are bad_encoding', async () => {
      const packed = pack(Buffer.from('hello'));
      for (const tail of ['x', '\0', '\0\0\0', '\x1f', '\x1f\x8b', '{"a":1}', '\x28\xb5\x2f\xfd']) {
        const followed = Buffer.concat([packed, Buffer.from(tail, 'latin1')]);
        assert.equal(await inflate(encoding, followed), BAD, JSON.stringify(tail));
      }
    });

    test('plain JSON is bad_encoding', async () => {
      for (const text of ['{"a":1}', '[{"msg":"m","clientId":"c","timestamp":1}]', ' {}', '0']) {
        assert.equal(await inflate(encoding, Buffer.from(text)), BAD, text);
      }
    });

    test('a bomb is stopped at the limit, without its memory', async () => {
      const bomb = pack(Buffer.alloc(64 * MIB));
      const before = process.memoryUsage();
      let [most, resident] = [0, 0];
      const watch = setInterval(() => {
        const { arrayBuffers, rss } = process.memoryUsage();
        most = Math.max(most, arrayBuffers - before.arrayBuffers);
        resident = Math.max(resident, rss - before.rss);
      }, 1);
      const bombs = await Promise.all(Array.from({ length: 8 }, () => inflate(encoding, bomb)));
      clearInterval(watch);
      assert.deepEqual(new Set(bombs), new Set([TOO_LARGE]));
      assert(most < 12 * MIB, `${most} bytes`);
      assert(resident < 48 * MIB, `${resident} resident bytes`);
    });
  });
}

test('output is reported as it grows; a canceled decompression reports nothing and frees its thread', async () => {
  const { inflating } = LIMITS;
  const body = zlib.gzipSync(randomBytes(MIB / 2));
  const inflater = new Inflater();
  const over: string[] = [];
  const start = (name: string) => {
    const grown: number[] = [];
    let done!: () => void;
    const ended = new Promise<void>((resolve) => {
      done = resolve;
    });
    const cancel = inflater.inflate(name, 'gzip', body, {
      progress: (bytes) => grown.push(bytes),
      done: () => {
        over.push(name);
        done();
      },
    });
    return { cancel, grown, ended };
  };
  const running = Array.from({ length: inflating }, () => start('running'));
  const waiting = start('waiting');
  const last = start('last');
  for (const { cancel } of [...running, waiting]) cancel();
  await last.ended;
  assert.deepEqual(over, ['last']);
  assert.deepEqual(
    last.grown,
    [...last.grown].sort((a, b) => a - b),
  );
  assert.equal(last.grown.at(-1), MIB / 2);
  last.cancel();
  await start('another').ended;
});

test('gzip may have several members, including empty ones', async () => {
  const hello = zlib.gzipSync('hello');
  const members = Buffer.concat([hello, zlib.gzipSync(''), zlib.gzipSync(' x')]);
  assert.equal(await inflate('gzip', members), 'whole: hello x');
});

test('a corrupt byte is detected if the format has a checksum', async () => {
  for (const pack of [zlib.gzipSync, zlib.deflateSync] as const) {
    const packed = pack('hello');
    for (const at of [0, 1, 2, packed.length - 5, packed.length - 1]) {
      const broken = Buffer.from(packed);
      broken[at]! ^= 0xff;
      const encoding = pack === zlib.gzipSync ? 'gzip' : 'deflate';
      assert.equal(await inflate(encoding, broken), BAD, `${encoding} broken at ${at}`);
    }
  }
});

test('deflate and brotli have one stream: a second one is bad_encoding', async () => {
  for (const [name, encoding, pack] of WAYS) {
    if (encoding !== 'deflate' && encoding !== 'br') continue;
    const twice = Buffer.concat([pack(Buffer.from('{}\n')), pack(Buffer.from('{}\n'))]);
    assert.equal(await inflate(encoding, twice), BAD, name);
  }
});

test('deflate with a preset dictionary is bad_encoding', async () => {
  const packed = zlib.deflateSync('hello hello', { dictionary: Buffer.from('hello') });
  assert.equal(await inflate('deflate', packed), BAD);
});

test('brotli with a large window, up to 1 GiB, is bad_encoding; usual windows are accepted', async () => {
  const { BROTLI_PARAM_LARGE_WINDOW, BROTLI_PARAM_LGWIN } = zlib.constants;
  const text = 'hello '.repeat(10_000);
  for (const lgwin of [10, 16, 22, 24]) {
    const packed = zlib.brotliCompressSync(text, { params: { [BROTLI_PARAM_LGWIN]: lgwin } });
    assert.equal(await inflate('br', packed), `whole: ${text}`, `window 2^${lgwin}`);
  }
  const large = { [BROTLI_PARAM_LARGE_WINDOW]: 1, [BROTLI_PARAM_LGWIN]: 30 };
  assert.equal(await inflate('br', zlib.brotliCompressSync(text, { params: large })), BAD);
});

test('all bodies are decompressed in the end, a few at a time', async () => {
  const bodies = Array.from({ length: 5 * LIMITS.inflating }, (_, index) => `body ${index}`);
  const done = await Promise.all(
    bodies.map((body, index) => {
      const [, encoding, pack] = WAYS[index % (WAYS.length - 1)]!;
      return inflate(encoding, pack(Buffer.from(body)));
    }),
  );
  assert.deepEqual(
    done,
    bodies.map((body) => `whole: ${body}`),
  );
});

test('zstd is offered if Node.js supports it, the others always', () => {
  assert.deepEqual(ENCODINGS, ['gzip', 'deflate', 'br', ...(HAS_ZSTD ? ['zstd'] : [])]);
});

test('zstd frames are decompressed one after the other, up to 10,000', {
  skip: NEEDS_ZSTD,
}, async () => {
  const frame = zstdCompressSync(Buffer.from('{}\n'));
  const skippable = Buffer.from('502a4d1803000000787878', 'hex');
  const some = Buffer.concat([
    skippable,
    frame,
    zstdCompressSync(Buffer.alloc(0)),
    frame,
    skippable,
  ]);
  assert.equal(await inflate('zstd', some), 'whole: {}\n{}\n');
  const many = Buffer.concat(Array(10_000).fill(frame));
  assert.equal((await inflate('zstd', many)).length, 'whole: '.length + 30_000);
});

test('a zstd frame with corrupt data or checksum is bad_encoding', {
  skip: NEEDS_ZSTD,
}, async () => {
  const { ZSTD_c_checksumFlag } = zlib.constants as unknown as Record<string, number>;
  const text = randomBytes(40).toString('hex');
  const packed = zstdCompressSync(Buffer.from(text), { params: { [ZSTD_c_checksumFlag!]: 1 } });
  assert.equal(await inflate('zstd', packed), `whole: ${text}`);
  for (let back = 1; back <= 4; back++) {
    const broken = Buffer.from(packed);
    broken[packed.length - back]! ^= 0xff;
    assert.equal(await inflate('zstd', broken), BAD, `${back} from the end`);
  }
});

test('a zstd window above 8 MiB is bad_encoding, with a message', {
  skip: NEEDS_ZSTD,
}, async () => {
  /** A frame with `{}` in a raw block. @param window the descriptor: exponent above 10, mantissa */
  const frame = (window: number) =>
    Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, window, (2 << 3) | 1, 0, 0, 0x7b, 0x7d]);
  for (const window of [0, 13 << 3])
    assert.equal(await inflate('zstd', frame(window)), 'whole: {}');
  for (const window of [(13 << 3) | 1, 14 << 3, 17 << 3, 0xff]) {
    const answer = (await run('zstd', frame(window))) as ResponseContent;
    assert.equal(codeOf(answer), BAD);
    assert.match(`${answer.body}`, /a zstd window may have up to 8 MiB: compress at a lower level/);
  }
});

test('output of the zstd tool is accepted, at each level up to 19', {
  skip: NEEDS_ZSTD || missingTool('zstd'),
}, async () => {
  const text = '{"msg":"m","clientId":"c","timestamp":1}\n'.repeat(20_000);
  const write = (...args: string[]) => spawnSync('zstd', args, { input: text }).stdout;
  for (const level of ['--fast=5', '-3', '-19']) {
    for (const flag of ['--check', '--no-check']) {
      const packed = write(level, flag, '-c');
      assert.equal(await inflate('zstd', packed), `whole: ${text}`, `${level} ${flag}`);
    }
  }
  assert.equal(await inflate('zstd', write('--ultra', '-22', '-c')), BAD, 'its window: 128 MiB');
});

test('senders of queued bodies are served round-robin', async () => {
  const inflater = new Inflater();
  const body = zlib.gzipSync('[]');
  const done: string[] = [];
  const all: Promise<void>[] = [];
  const add = (sender: string) =>
    all.push(
      new Promise((resolve) => {
        inflater.inflate(sender, 'gzip', body, {
          progress: () => {},
          done: () => {
            done.push(sender);
            resolve();
          },
        });
      }),
    );
  for (let count = 0; count < 20; count++) add('many');
  for (const sender of ['b', 'c', 'b']) add(sender);
  await Promise.all(all);
  // Two are decompressed at a time: neighbors may swap.
  const lasts = ['b', 'c'].map((sender) => done.lastIndexOf(sender));
  assert(Math.max(...lasts) < 12, done.join(' '));
});
