/** Bodies with Content-Encoding: decompressed or rejected, without effect on other clients. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import {
  brotliCompressSync,
  constants,
  deflateRawSync,
  deflateSync,
  gzipSync,
  type InputType,
} from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import { arrayOf, good } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { accountOf, freshMetrics, type PostAnswer, post, Tally } from '../../testing/stage.ts';
import { useStage } from '../support/use-stage.ts';
import { HAS_ZSTD, zstdCompressSync } from '../support/zstd.ts';

const MIB = 1_048_576;
const [A, B] = [good('a'), good('ä€😀')];
const BOMBS = 20;
const BROKEN = 'the body does not match its Content-Encoding';

let badEncodings = 0;
const tally = new Tally();
const stage = useStage();

function postPacked(body: Buffer, encoding = 'gzip', type = ''): Promise<PostAnswer> {
  return post(stage, body, type, { 'Content-Encoding': encoding });
}

/** Posts a body again while the worker has no time for it: on a busy machine a turn is overlong. */
async function postUntilDecoded(body: Buffer, encoding: string): Promise<PostAnswer> {
  for (;;) {
    const answer = await postPacked(body, encoding);
    if (answer.status !== 503) return answer;
    tally.http(0, { buffer_full: 1 });
  }
}

test('200: gzip of each type, in any spelling, in several members; stored byte for byte', async () => {
  const lines = 'application/x-ndjson';
  const members = Buffer.concat([gzipSync(`[${A}`), gzipSync(''), gzipSync(`,${B}]`)]);
  const bodies: [Buffer, string, string?][] = [
    [gzipSync(arrayOf([A, B])), 'gzip'],
    [gzipSync(arrayOf([A, B]), { level: 0 }), 'x-gzip', 'application/json'],
    [gzipSync(`${A}\n${B}\n`), ' GZip', lines],
    [members, 'gzip', 'text/plain'],
    [Buffer.from(arrayOf([A, B])), 'identity'],
  ];
  for (const [body, encoding, type] of bodies) {
    const { status, body: answer } = await postPacked(body, encoding, type);
    assert.deepEqual([status, answer], [200, { accepted: 2, errors: [] }], encoding);
    assert.deepEqual((await stage.newValues()).sort(), [A, B].sort());
    tally.http(2);
  }
});

/** Encodings except gzip that this Node.js version has. */
const ENCODERS: [string, (bytes: Buffer) => Buffer][] = [
  ['deflate', deflateSync],
  ['Deflate', deflateRawSync],
  ['br', quickBrotli],
  ...(HAS_ZSTD ? ([['ZSTD', zstdCompressSync]] as [string, typeof zstdCompressSync][]) : []),
];

function quickBrotli(bytes: InputType): Buffer {
  return brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } });
}

test('200: deflate, raw deflate, Brotli and zstd, of each type and its synonyms', async () => {
  const array = Buffer.from(arrayOf([A, B]));
  const types: [string, Buffer][] = [
    ['', array],
    ['application/vnd.example+json; charset="UTF-8"', array],
    ['Application/JSONL', Buffer.from(`${A}\n${B}\n`)],
    ['application/vnd.msgpack', Buffer.from(encode([A, B].map((text) => JSON.parse(text))))],
  ];
  for (const [encoding, pack] of ENCODERS) {
    for (const [type, bytes] of types) {
      const { status, body } = await postPacked(pack(bytes), encoding, type);
      assert.deepEqual([status, body], [200, { accepted: 2, errors: [] }], `${encoding} ${type}`);
      assert.deepEqual((await stage.newValues()).sort(), [A, B].sort());
      tally.http(2);
    }
  }
});

test('200: a body decoded in slices, of 8,000 similar events, compressed 1:100 and more', async () => {
  const lines = Buffer.from(`${A}\n`.repeat(8_000));
  for (const [encoding, pack] of [['gzip', gzipSync] as (typeof ENCODERS)[0], ...ENCODERS]) {
    const packed = pack(lines);
    assert(packed.length < lines.length / 100, `${packed.length} of ${lines.length} bytes`);
    const { status, body } = await postPacked(packed, encoding, 'application/ndjson');
    assert.deepEqual([status, body], [200, { accepted: 8_000, errors: [] }], encoding);
    assert.equal((await stage.newValues()).length, 8_000);
    tally.http(8_000);
  }
});

test('compressed bytes are counted', async () => {
  const name = 'forebay_received_bytes_total';
  const count = async () => (await freshMetrics(stage.gateway)).value(name, { transport: 'http' });
  const before = await count();
  const packed = gzipSync(arrayOf(Array(100).fill(A)));
  assert.equal((await postPacked(packed)).body.accepted, 100);
  assert.equal((await count()) - before, packed.length);
  assert.equal((await stage.newValues()).length, 100);
  tally.http(100);
});

test('a decompressed size of exactly 1 MiB is accepted, one byte more is 413', async () => {
  const body = (bytes: number) => gzipSync(A.padEnd(bytes));
  const taken = await postPacked(body(MIB));
  assert.deepEqual([taken.status, taken.body.accepted], [200, 1]);
  assert.deepEqual(await stage.newValues(), [A]);
  tally.http(1);
  const { status, body: refused } = await postPacked(body(MIB + 1));
  assert.deepEqual([status, refused.error?.code], [413, 'too_large']);
});

test('413: a decompression bomb, while another client is served', async () => {
  const client = await FrameClient.open(stage.gateway.wsUrl);
  const zeros = Buffer.alloc(64 * MIB);
  const packed: [Buffer, string][] = [[gzipSync(zeros), 'gzip']];
  for (const [encoding, pack] of ENCODERS) packed.push([pack(zeros), encoding]);
  const bombs = Array.from({ length: BOMBS }, (_, index) =>
    postUntilDecoded(...packed[index % packed.length]!),
  );
  for (let sent = 0; sent < 20; sent++)
    assert.deepEqual(await client.exchange(good('bystander')), []);
  for (const { status, body } of await Promise.all(bombs)) {
    assert.equal(status, 413);
    assert.equal(body.error?.code, 'too_large');
    assert.match(body.error?.message ?? '', /^a decompressed body may have up to 1048576 bytes$/);
  }
  await client.close();
  assert.equal((await stage.newValues()).length, 20);
  tally.ws(20);
});

test('400 bad_encoding: corrupt, truncated, with trailing bytes, or not gzip; nothing is stored', async () => {
  const packed = gzipSync(A);
  const broken = Buffer.from(packed);
  broken[12]! ^= 0xff;
  const bodies = [
    broken,
    packed.subarray(0, -1),
    Buffer.concat([packed, Buffer.from([0])]),
    Buffer.concat([packed, Buffer.from(A)]),
    Buffer.from(A),
    Buffer.alloc(0),
  ];
  const sent: [Buffer, string][] = bodies.map((body) => [body, 'gzip']);
  for (const [encoding, pack] of ENCODERS) {
    const whole = pack(Buffer.from(A));
    sent.push([whole.subarray(0, -1), encoding], [Buffer.concat([whole, whole]), encoding]);
    sent.push([Buffer.from(A), encoding], [Buffer.alloc(0), encoding]);
    // Several frames may follow each other; their content is not NDJSON here.
    if (encoding === 'ZSTD') sent.splice(-3, 1);
  }
  for (const [index, [body, encoding]] of sent.entries()) {
    const { status, body: answer } = await postPacked(body, encoding);
    assert.equal(status, 400, `body ${index}`);
    assert.deepEqual(answer, { error: { code: 'bad_encoding', message: BROKEN } });
  }
  badEncodings = sent.length;
  assert.equal((await post(stage, B)).status, 200);
  assert.deepEqual(await stage.newValues(), [B]);
  tally.http(1);
});

const UNSUPPORTED = [
  'compress',
  'gzip, gzip',
  'gzip;q=1',
  'constructor',
  ...(HAS_ZSTD ? [] : ['zstd']),
];

test('415: another encoding, and several; the response lists those of this Node.js version', async () => {
  const list = `gzip, deflate, br${HAS_ZSTD ? ', zstd' : ''}`;
  for (const encoding of UNSUPPORTED) {
    const { status, headers, body } = await postPacked(gzipSync(A), encoding);
    assert.deepEqual([status, body.error?.code], [415, 'unsupported_media_type'], encoding);
    assert(body.error?.message.includes(list), body.error?.message);
    assert.equal(headers.get('accept-encoding'), list);
  }
});

test('415: two headers with one encoding each', async () => {
  const { hostname, port } = new URL(stage.gateway.httpUrl);
  const headers = { 'Content-Encoding': ['gzip', 'gzip'] };
  const sent = request({ hostname, port, method: 'POST', path: '/events', headers });
  sent.end(gzipSync(gzipSync(A)));
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  assert.equal(answer.statusCode, 415);
  assert.match(await text(answer), /send one of gzip, deflate, br.*, not several"/);
});

test('415: text in another charset, by its name', async () => {
  const latin = Buffer.from(good('ä'), 'latin1');
  const { status, body } = await post(stage, latin, 'text/plain; charset=ISO-8859-1');
  assert.deepEqual([status, body.error?.code], [415, 'unsupported_media_type']);
  assert.match(body.error?.message ?? '', /: charset ISO-8859-1: send UTF-8$/);
});

test('all events are accounted for, and each rejected request is counted', async () => {
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
  const metrics = await freshMetrics(stage.gateway);
  const refused = (reason: string) => metrics.value('forebay_requests_refused_total', { reason });
  assert.equal(refused('too_large'), 1 + BOMBS);
  assert.equal(refused('bad_encoding'), badEncodings);
  assert.equal(refused('unsupported_media_type'), UNSUPPORTED.length + 2);
  assert.deepEqual(stage.gateway.errors, []);
});
