/** Bodies with Content-Encoding: what is inflated, what is refused, and nothing is lost beside. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { arrayOf, good } from '../support/events.ts';
import { FrameClient } from '../support/frame-client.ts';
import {
  accountOf,
  freshMetrics,
  openStage,
  type PostAnswer,
  post,
  type Stage,
  Tally,
} from '../support/stage.ts';

const MIB = 1_048_576;
const [A, B] = [good('a'), good('ä€😀')];
const BROKEN = 'the body does not match its Content-Encoding';

let stage: Stage;
const tally = new Tally();
before(async () => {
  stage = await openStage();
});
after(async () => {
  await stage?.gateway.stop();
});

function postPacked(body: Buffer, encoding = 'gzip', type = ''): Promise<PostAnswer> {
  return post(stage, body, type, { 'Content-Encoding': encoding });
}

test('200: gzip of each type, however it is written, in several members; stored as it was before', async () => {
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

test('the bytes that are counted are those that came', async () => {
  const name = 'forebay_received_bytes_total';
  const count = async () => (await freshMetrics(stage.gateway)).value(name, { transport: 'http' });
  const before = await count();
  const packed = gzipSync(arrayOf(Array(100).fill(A)));
  assert.equal((await postPacked(packed)).body.accepted, 100);
  assert.equal((await count()) - before, packed.length);
  assert.equal((await stage.newValues()).length, 100);
  tally.http(100);
});

test('inflated to exactly 1 MiB is taken, one byte more is 413', async () => {
  // As many bytes as the ratio asks for: noise that is white space to JSON.
  const noise = Array.from(
    { length: MIB + 1 },
    () => ' \n\t\r'[Math.floor(Math.random() * 4)]!,
  ).join('');
  const body = (bytes: number) => gzipSync(`${A}${noise.slice(A.length, bytes)}`);
  const taken = await postPacked(body(MIB));
  assert.deepEqual([taken.status, taken.body.accepted], [200, 1]);
  assert.deepEqual(await stage.newValues(), [A]);
  tally.http(1);
  const { status, body: refused } = await postPacked(body(MIB + 1));
  assert.deepEqual([status, refused.error?.code], [413, 'too_large']);
});

test('413: a bomb, while a good client beside it is served', async () => {
  const client = await FrameClient.open(stage.gateway.wsUrl);
  const bomb = gzipSync(Buffer.alloc(64 * MIB));
  const bombs = Array.from({ length: 20 }, () => postPacked(bomb));
  for (let sent = 0; sent < 20; sent++) assert.deepEqual(await client.exchange(good('beside')), []);
  for (const { status, body } of await Promise.all(bombs)) {
    assert.equal(status, 413);
    assert.equal(body.error?.code, 'too_large');
    assert.match(body.error?.message ?? '', /^inflated, this body may have \d+ bytes$/);
  }
  await client.close();
  assert.equal((await stage.newValues()).length, 20);
  tally.ws(20);
});

test('400 bad_encoding: broken, cut short, followed by anything, or no gzip; nothing is stored', async () => {
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
  for (const [index, body] of bodies.entries()) {
    const { status, body: answer } = await postPacked(body);
    assert.equal(status, 400, `body ${index}`);
    assert.deepEqual(answer, { error: { code: 'bad_encoding', message: BROKEN } });
  }
  assert.equal((await post(stage, B)).status, 200);
  assert.deepEqual(await stage.newValues(), [B]);
  tally.http(1);
});

test('415: any other encoding, and gzip twice; the answer says what is taken', async () => {
  for (const encoding of ['br', 'deflate', 'zstd', 'gzip, gzip', 'gzip;q=1', 'constructor']) {
    const { status, headers, body } = await postPacked(gzipSync(A), encoding);
    assert.deepEqual([status, body.error?.code], [415, 'unsupported_media_type'], encoding);
    assert.match(body.error?.message ?? '', /: send gzip or no Content-Encoding$/);
    assert.equal(headers.get('accept-encoding'), 'gzip');
  }
});

test('in the end every event is accounted for, and each refused request counted', async () => {
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
  const metrics = await freshMetrics(stage.gateway);
  const refused = (reason: string) => metrics.value('forebay_requests_refused_total', { reason });
  assert.equal(refused('too_large'), 1 + 20);
  assert.equal(refused('bad_encoding'), 6);
  assert.equal(refused('unsupported_media_type'), 6);
  assert.deepEqual(stage.gateway.errors, []);
});
