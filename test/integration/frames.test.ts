/** Decoding of frames: fragments, forms of text, and errors that end a connection. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { arrayOf, good } from '../../testing/events.ts';
import { FrameClient, type Payload } from '../../testing/frame-client.ts';
import { PlainClient } from '../../testing/plain-client.ts';
import { openSocket } from '../../testing/socket.ts';
import { accountOf, Tally } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { expected } from '../fixtures/transport-differences.ts';
import { assertRefused } from '../support/refusals.ts';
import { upgrade } from '../support/upgrade.ts';
import { useFrameClient, useStage } from '../support/use-stage.ts';

const MAX_FRAME_BYTES = 65_536;

const stage = useStage({ env: { KAFKA_LINGER_MS: '1' } });
const client = useFrameClient(stage);
const tally = new Tally();

/** Asserts that frames, each a list of fragments, are stored whole. */
async function assertStored(frames: readonly (readonly Payload[])[], values: readonly string[]) {
  const numbers: number[] = [];
  for (const parts of frames) numbers.push(await client.sendWithin(...parts));
  const fates = await Promise.all(numbers.map((frame) => client.fate(frame)));
  assert.deepEqual(fates.flat(), []);
  assert.deepEqual((await stage.newValues()).sort(), [...values].sort());
  tally.ws(values.length);
}

/** Cuts the bytes at these offsets. */
function cut(bytes: Buffer, ...offsets: number[]): Buffer[] {
  const edges = [0, ...offsets, bytes.length];
  return edges.slice(1).map((end, index) => bytes.subarray(edges[index], end));
}

/** Characters of one to four bytes, escapes, and braces within text. */
const TRICKY = good('tricky', { clientId: 'ключ', msg: 'aß€😀 "\\ {[,]} \n' });

test('a frame split in two at any byte equals the whole frame', async () => {
  const bytes = Buffer.from(TRICKY);
  assert(bytes.length > TRICKY.length + 8, 'some characters have several bytes');
  const offsets = Array.from({ length: bytes.length + 1 }, (_, index) => index);
  await assertStored(
    offsets.map((offset) => cut(bytes, offset)),
    offsets.map(() => TRICKY),
  );
});

test('a frame in fragments of one byte each, and with empty fragments in between', async () => {
  const bytes = Buffer.from(TRICKY);
  const single = [...bytes.keys()].map((index) => bytes.subarray(index, index + 1));
  const empty = single.flatMap((part) => [Buffer.alloc(0), part]);
  await assertStored([single, empty, [...single, Buffer.alloc(0)]], [TRICKY, TRICKY, TRICKY]);
});

test('an array and lines split in three at any place', async () => {
  const events = [good('ä'), good('b', { msg: '€' })];
  const frames = [arrayOf(events), events.join('\n')].map((text) => Buffer.from(text));
  const cuts = frames.flatMap((bytes) =>
    Array.from({ length: bytes.length - 1 }, (_, index) => cut(bytes, index + 1, index + 2)),
  );
  await assertStored(
    cuts,
    cuts.flatMap(() => events),
  );
});

test('pings between fragments are answered without effect on the frame', async () => {
  const bytes = Buffer.from(TRICKY);
  const ponged = new Promise<string>((resolve) => {
    client.socket.once('pong', (data) => resolve(String(data)));
  });
  const [first, second] = cut(bytes, 20);
  client.socket.send(first!, { binary: false, fin: false });
  client.socket.ping('between');
  assert.equal(await ponged, 'between');
  await assertStored([[second!]], [TRICKY]);
});

test('fragments of one frame may arrive with delays, with frames of other connections in between', async () => {
  const other = await FrameClient.open(stage.gateway.wsUrl);
  const [first, second] = cut(Buffer.from(TRICKY), 30);
  client.socket.send(first!, { binary: false, fin: false });
  const between = good('between');
  assert.deepEqual(await other.exchange(between), []);
  await assertStored([[second!]], [TRICKY, between]);
  await other.close();
});

test('bounds apply to the sum of the fragments', async () => {
  const part = Buffer.alloc(MAX_FRAME_BYTES / 2, ' ');
  const errors = await client.exchange(part, part, Buffer.from('[]'));
  assertRefused(errors, ['too_large']);
  assert.deepEqual(await client.exchange(part, part.subarray(2), Buffer.from('[]')), []);
  const other = await FrameClient.open(stage.gateway.wsUrl);
  for (let sent = 0; sent <= 4; sent++) other.socket.send(part, { binary: false, fin: false });
  assert.equal((await other.ended()).code, expected(1006, 1009));
  tally.ws(0, { too_large: 1 });
});

test('a fragmented binary frame is one frame, also split within a name and within a number', async () => {
  const event = { msg: 'ä', clientId: 'c', timestamp: 1_790_000_000_123 };
  const bytes = Buffer.from(encode(event));
  const frames = [3, bytes.length - 4].map((place) => client.sendBinary(...cut(bytes, place)));
  for (const frame of frames) assert.deepEqual(await client.fate(frame), []);
  const stored = JSON.stringify(event);
  assert.deepEqual(await stage.newValues(), [stored, stored]);
  tally.ws(2);
});

test('one event: pretty-printed, and with white space around it', async () => {
  const pretty = JSON.stringify(JSON.parse(TRICKY), null, 2);
  const windows = pretty.replaceAll('\n', '\r\n');
  const frames = [pretty, windows, ` \r\n\t${TRICKY}\n\n `, `\n\n${pretty}\n`, `\n[\n${pretty} ] `];
  await assertStored(
    frames.map((text) => [text]),
    [pretty, windows, TRICKY, pretty, pretty],
  );
});

test('arrays and lines, with white space of every kind between events', async () => {
  const [a, b, c] = [good('a'), good('b'), good('c')];
  const frames = [
    `[${a}]`,
    `\t[ ${a}\r\n,\t${b} , ${c}]\n`,
    `${a}\n${b}`,
    `${a}\r\n${b}\r\n`,
    `\n\n${a}\n\n \t \r\n  ${b}  \n${c}`,
  ];
  await assertStored(
    frames.map((text) => [text]),
    [a, a, b, c, a, b, a, b, a, b, c],
  );
});

test('an index counts events and not blank lines', async () => {
  const errors = await client.exchange(`\n\n${good('a')}\n\n\n{}\n\r\n42\n${good('b')}\n`);
  assertRefused(errors, ['schema', [1, 1]], ['not_an_object', [2, 2]]);
  assert.deepEqual((await stage.newValues()).sort(), [good('a'), good('b')]);
  tally.ws(2, { schema: 1, not_an_object: 1 });
});

test('a frame without events is settled at once', async () => {
  for (const text of ['[]', ' [ \n ] ']) assert.deepEqual(await client.exchange(text), []);
  const [first, second] = cut(Buffer.from('[]'), 1);
  assert.deepEqual(await client.exchange(first!, second!), []);
  assert.deepEqual(await stage.newRecords(), []);
});

test('acks are cumulative and coalesced: one ack for frames that arrive together', async () => {
  const before = client.texts.length;
  const last = client.sendTogether(Array.from({ length: 30 }, () => '[]'));
  assert.deepEqual(await client.fate(last), []);
  const acks = client.texts.slice(before).filter((text) => text.startsWith('{"ack"'));
  assert.deepEqual(acks, [`{"ack":${last}}`]);
  assert.deepEqual(client.violations, []);
});

test('invalid UTF-8 in a text frame ends only its connection, with 1006', async () => {
  const wrong = [[0xff], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]];
  for (const bytes of wrong) {
    const other = await FrameClient.open(stage.gateway.wsUrl);
    const text = good('cut').replace('a message', '|');
    const [head = '', tail = ''] = text.split('|');
    other.send(Buffer.concat([Buffer.from(head), Buffer.from(bytes), Buffer.from(tail)]));
    assert.equal((await other.ended()).code, expected(1006, 1007));
  }
  await assertStored([[TRICKY]], [TRICKY]);
});

test('a frame over twice the bound ends only its connection, with 1006', async () => {
  const [other, plain] = [
    await FrameClient.open(stage.gateway.wsUrl),
    await new PlainClient({ url: stage.gateway.wsUrl }).open(),
  ];
  const kept = good('before');
  assert.deepEqual(await other.exchange(kept), []);
  other.send(' '.repeat(2 * MAX_FRAME_BYTES + 1));
  plain.socket.send(' '.repeat(5 * MAX_FRAME_BYTES));
  assert.equal((await other.ended()).code, expected(1006, 1009));
  assert.equal((await plain.closed).code, expected(1006, 1009));
  await assertStored([[TRICKY]], [TRICKY, kept]);
});

test('unknown subprotocols yield a plain connection', async () => {
  // ws rejects a server that chooses none of the requested subprotocols: check the bare handshake.
  const headers = { 'Sec-WebSocket-Protocol': 'chat, forebay.v2' };
  const answer = await upgrade(stage.gateway.httpUrl, headers);
  assert.equal(answer.protocol, undefined);
  answer.write(good('plain'));
  await until(async () => (await stage.newValues()).includes(good('plain')));
  assert.equal(answer.received(), 0);
  answer.end();
  tally.ws(1);
});

test('forebay.v1 is chosen among several subprotocols', async () => {
  const protocols = ['forebay.v2', 'forebay.v1', 'chat'];
  const received: string[] = [];
  const socket = await openSocket(stage.gateway.wsUrl, protocols, {}, (made) =>
    made.on('message', (data) => received.push(String(data))),
  );
  assert.equal(socket.protocol, 'forebay.v1');
  await until(() => received[0]?.startsWith('{"hello":'));
  socket.close();
});

test('all events and connections are accounted for, without protocol violations', async () => {
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
  assert.deepEqual(client.violations, []);
  assert(client.isOpen);
  const metrics = await until(async () => {
    const now = await stage.gateway.metrics();
    return now.value('forebay_connections', { transport: 'ws' }) === 1 ? now : undefined;
  });
  const closed = (reason: string) => metrics.value('forebay_connections_closed_total', { reason });
  assert.equal(closed('lost'), 1 + 5 + 2 + 1);
  assert.equal(closed('normal'), 2);
  assert.deepEqual(stage.gateway.errors, []);
});
