/** Permanent rejections over WebSocket, on one connection that stays open. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrayOf, good, goodOfBytes } from '../../testing/events.ts';
import { PlainClient } from '../../testing/plain-client.ts';
import { accountOf, Tally } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { assertRefused, type Expected } from '../support/refusals.ts';
import { useFrameClient, useStage } from '../support/use-stage.ts';

const MAX_FRAME_BYTES = 65_536;

const stage = useStage();
const client = useFrameClient(stage);
const tally = new Tally();

/** Asserts the rejected and the stored events of a frame; a valid frame follows it. */
async function assertFate(frame: string, stored: string[], ...refused: Expected[]): Promise<void> {
  const [errors, after] = await Promise.all([client.exchange(frame), client.exchange(NEXT)]);
  assertRefused(errors, ...refused);
  assert.deepEqual(after, [], 'the next frame is stored');
  assert.deepEqual((await stage.newValues()).sort(), [...stored, NEXT].sort());
  assert(client.isOpen);
  tally.ws(stored.length + 1);
  for (const [code, ...ranges] of refused) {
    const events = ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
    tally.ws(0, { [code]: ranges.length === 0 ? 1 : events });
  }
}

const NEXT = good('next');
const [A, B, C] = [good('a'), good('b'), good('c')];

test('invalid_json alone: text that is not JSON is rejected as a whole frame', async () => {
  await assertFate('{"msg":"cut off', [], ['invalid_json']);
});

test('invalid_json: an empty frame and a blank one', async () => {
  await assertFate('', [], ['invalid_json']);
  await assertFate(' \r\n\t', [], ['invalid_json']);
});

test('invalid_json in an array rejects the whole array', async () => {
  await assertFate(`[${A},{"msg":},${B}]`, [], ['invalid_json']);
  await assertFate(`[${A},${B}`, [], ['invalid_json']);
});

test('invalid_json among lines rejects only its lines', async () => {
  const lines = [A, '{"msg":', 'nonsense', B, "{'msg':1}", C];
  await assertFate(lines.join('\n'), [A, B, C], ['invalid_json', [1, 2], [4, 4]]);
});

test('a first line that is not JSON turns all lines into one invalid event', async () => {
  await assertFate(`nonsense\n${A}\n${B}`, [], ['invalid_json']);
});

test('invalid_msgpack: other binary frames are rejected, text frames around them are stored', async () => {
  const frames = [client.send(A), client.sendBinary(Buffer.from([0xc1])), client.send(B)];
  const empty = client.sendBinary(Buffer.alloc(0));
  const fates = await Promise.all([...frames, empty].map((frame) => client.fate(frame)));
  assert.deepEqual([fates[0], fates[2]], [[], []]);
  assertRefused(fates[1]!, ['invalid_msgpack']);
  assertRefused(fates[3]!, ['invalid_msgpack']);
  assert.deepEqual((await stage.newValues()).sort(), [A, B]);
  tally.ws(2, { invalid_msgpack: 2 });
});

test('not_an_object alone: every other JSON value', async () => {
  for (const text of ['42', '"text"', 'null', 'true', '-1.5e3']) {
    await assertFate(text, [], ['not_an_object', [0, 0]]);
  }
});

test('not_an_object among valid elements and lines', async () => {
  const mixed = [A, '42', 'null', '[]', '"x"', B, '[[{}]]', C];
  const refused: Expected = ['not_an_object', [1, 4], [6, 6]];
  await assertFate(arrayOf(mixed), [A, B, C], refused);
  await assertFate(mixed.join('\n'), [A, B, C], refused);
});

test('schema alone: a missing field, a wrong type, a number that is not an integer', async () => {
  const numbers = ['1e400', '1.5', '"1"', 'null'];
  const wrong = numbers.map((number) => A.replace('"timestamp":1', `"timestamp":${number}`));
  const otherwise = ['{}', good('x', { msg: 1 }), good('x', { clientId: null })];
  for (const text of [...wrong, ...otherwise]) await assertFate(text, [], ['schema', [0, 0]]);
});

test('schema names the event and the error', async () => {
  const [error] = await client.exchange(`[${A},{"msg":"m","clientId":"c","timestamp":"now"}]`);
  assert.equal(error?.message, 'event 1: /timestamp must be integer');
  assert.deepEqual(await stage.newValues(), [A]);
  tally.ws(1, { schema: 1 });
});

test('schema among valid elements and lines: the others are stored', async () => {
  const mixed = ['{}', A, '{}', '{"msg":1}', B, C, '{}'];
  const refused: Expected = ['schema', [0, 0], [2, 3], [6, 6]];
  await assertFate(arrayOf(mixed), [A, B, C], refused);
  await assertFate(mixed.join('\n'), [A, B, C], refused);
});

test('several codes in one frame: one entry each, every event in one of them', async () => {
  const lines = [A, '{}', '42', '{"msg":', B, '{}', '42', '{"msg":', C];
  const refused: Expected[] = (['schema', 'not_an_object', 'invalid_json'] as const).map(
    (code, index) => [code, [index + 1, index + 1], [index + 5, index + 5]],
  );
  await assertFate(lines.join('\n'), [A, B, C], ...refused);
});

test('too_large: frames from one byte over the bound to twice the bound', async () => {
  const exact = goodOfBytes('exact', MAX_FRAME_BYTES);
  await assertFate(exact, [exact]);
  await assertFate(goodOfBytes('over', MAX_FRAME_BYTES + 1), [], ['too_large']);
  await assertFate(goodOfBytes('twice', 2 * MAX_FRAME_BYTES), [], ['too_large']);
  const many = arrayOf(Array.from({ length: 1_000 }, (_, index) => good(`${index}`)));
  assert(many.length > MAX_FRAME_BYTES && many.length < 2 * MAX_FRAME_BYTES);
  await assertFate(many, [], ['too_large']);
  const blank = `${A}${' '.repeat(MAX_FRAME_BYTES)}`;
  await assertFate(blank, [], ['too_large']);
});

test('too_large: a binary frame over the bound', async () => {
  assertRefused(await client.fate(client.sendBinary(Buffer.alloc(70_000))), ['too_large']);
  tally.ws(0, { too_large: 1 });
});

test('too_many_events: 1,000 are accepted and 1,001 rejected, as array and as lines', async () => {
  const small = (id: number) => `{"id":"${id}","msg":"","clientId":"","timestamp":0}`;
  const events = Array.from({ length: 1_001 }, (_, index) => small(index));
  const allowed = events.slice(0, 1_000);
  await assertFate(arrayOf(allowed), allowed);
  await assertFate(allowed.join('\n'), allowed);
  await assertFate(arrayOf(events), [], ['too_many_events']);
  await assertFate(events.join('\n'), [], ['too_many_events']);
});

test('too_many_events counts elements of any type', async () => {
  await assertFate(`[${'0,'.repeat(1_000)}0]`, [], ['too_many_events']);
  await assertFate(`[${'0,'.repeat(999)}0]`, [], ['not_an_object', [0, 999]]);
});

test('a plain client receives no rejections; they are counted', async () => {
  const plain = await new PlainClient({ url: stage.gateway.wsUrl }).open();
  const frames = [A, '{}', '42', '{', arrayOf([B, '{}', C])];
  for (const frame of frames) plain.socket.send(frame);
  plain.socket.send(Buffer.from([0xc1]));
  plain.socket.send('x'.repeat(MAX_FRAME_BYTES + 1));
  const records: string[] = [];
  await until(async () => records.push(...(await stage.newValues())) >= 3, { what: 'A, B and C' });
  assert.deepEqual(records.sort(), [A, B, C]);
  tally.ws(3, { schema: 2, not_an_object: 1, invalid_json: 1, invalid_msgpack: 1, too_large: 1 });
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
  assert.deepEqual(plain.received, []);
  await plain.close();
});

test('all events are accounted for, without protocol violations', async () => {
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
  assert.deepEqual(client.violations, []);
  assert.equal(client.closed, undefined);
  assert.deepEqual(stage.gateway.errors, []);
});
