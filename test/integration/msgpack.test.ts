/** MessagePack in frames and bodies: stored events and rejections. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { good } from '../../testing/events.ts';
import { accountOf, post, Tally } from '../../testing/stage.ts';
import { assertRefused, type Expected } from '../support/refusals.ts';
import { useFrameClient, useStage } from '../support/use-stage.ts';

const MSGPACK = 'application/msgpack';
const MAX_EVENT_BYTES = 65_536;

const stage = useStage({ env: { KAFKA_LINGER_MS: '1' } });
const client = useFrameClient(stage);
/** Sends valid frames between the invalid ones of the other. */
const neighbour = useFrameClient(stage);
const tally = new Tally();

interface Event {
  readonly [field: string]: unknown;
}

const event = (id: string, fields: Event = {}): Event => JSON.parse(good(id, fields)) as Event;
const [A, B, C] = [
  event('a'),
  event('ключ "1"\n'),
  event('c', { more: { deep: [[{}]], n: null } }),
];

function bytesOf(value: unknown): Buffer {
  return Buffer.from(encode(value));
}

/** Returns an event with the field `x` of exactly these bytes; without it, it would be valid. */
function withField(...bytes: readonly number[]): Buffer {
  const fields = bytesOf({ msg: '', clientId: '', timestamp: 1, x: null });
  assert.equal(fields.at(-1), 0xc0, 'nil comes last');
  return Buffer.concat([fields.subarray(0, -1), Buffer.from(bytes)]);
}

/** Sent payload, expected stored events and rejections. */
type Fate = readonly [payload: Buffer, stored: readonly unknown[], ...refused: Expected[]];

/** Sends each as a frame and as a body; frames of another client in between are stored. */
async function assertFates(...fates: readonly Fate[]): Promise<void> {
  const next = good('next');
  const expected: string[] = [];
  for (const [payload, stored, ...refused] of fates) {
    const frame = client.sendBinary(payload);
    const [errors, between, answer] = await Promise.all([
      client.fate(frame),
      neighbour.exchange(next),
      post(stage, payload, MSGPACK),
    ]);
    assertRefused(errors, ...refused);
    assertRefused(answer.body.errors, ...refused);
    assert.deepEqual(between, [], 'another client is served');
    assert.equal(answer.body.accepted, stored.length);
    const partly = stored.length > 0 ? 207 : 400;
    assert.equal(answer.status, refused.length === 0 ? 200 : partly);
    const texts = stored.map((each) => (typeof each === 'string' ? each : JSON.stringify(each)));
    expected.push(...texts, ...texts, next);
    tally.ws(stored.length + 1);
    tally.http(stored.length);
    for (const [code, ...ranges] of refused) {
      const events = ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
      tally.ws(0, { [code]: ranges.length === 0 ? 1 : events });
      tally.http(0, { [code]: ranges.length === 0 ? 1 : events });
    }
  }
  assert.deepEqual((await stage.newValues()).sort(), expected.sort());
  assert(client.isOpen, 'the connection stays open');
}

test('a map is an event, an array of maps several: their JSON is stored with their keys', async () => {
  assert.deepEqual(await client.fate(client.sendBinary(bytesOf([A, B]))), []);
  const records = await stage.newRecords();
  const found = records.map(({ key, value }) => [String(key), String(value)]);
  const expected = [A, B].map((each) => [String(each.clientId), JSON.stringify(each)]);
  assert.deepEqual(found.sort(), expected.sort());
  tally.ws(2);
  await assertFates([bytesOf(A), [A]], [bytesOf([A, B, C]), [A, B, C]], [bytesOf([]), []]);
});

test('fields in any order, and duplicate fields, are stored unchanged', async () => {
  const fields = [bytesOf('10'), bytesOf(1), bytesOf('9'), bytesOf(2), bytesOf('10'), bytesOf(3)];
  const rest = bytesOf({ msg: '', clientId: 'k', timestamp: 1 }).subarray(1);
  const frame = Buffer.concat([Buffer.from([0x86]), ...fields, rest]);
  await assertFates([frame, ['{"10":1,"9":2,"10":3,"msg":"","clientId":"k","timestamp":1}']]);
});

test('numbers are stored with their values', async () => {
  const f32 = [0xca, 0x3d, 0xcc, 0xcc, 0xcd];
  const minusZero = [0xcb, 0x80, 0, 0, 0, 0, 0, 0, 0];
  const most = [0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0];
  const numbers = [
    [f32, '0.10000000149011612'],
    [minusZero, '-0'],
    [most, '9007199254740992'],
    [[0xd0, 0x80], '-128'],
  ] as const;
  const fates = numbers.map(([bytes, text]): Fate => {
    return [withField(...bytes), [`{"msg":"","clientId":"","timestamp":1,"x":${text}}`]];
  });
  await assertFates(...fates);
});

const BYTES_8 = new Array<number>(8).fill(0xff);
/** Fields that JSON cannot represent, or that are incomplete. */
const BAD_FIELDS: Readonly<Record<string, readonly number[]>> = {
  'bin 8': [0xc4, 1, 0],
  'bin 16': [0xc5, 0, 1, 0],
  'bin 32': [0xc6, 0, 0, 0, 1, 0],
  'a timestamp': [0xd6, 0xff, 0, 0, 0, 1],
  'fixext 1': [0xd4, 1, 0],
  'ext 8': [0xc7, 1, 5, 0],
  'ext 32 of 4 GiB': [0xc9, 0xff, 0xff, 0xff, 0xff, 5],
  'NaN as float 64': [0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0],
  'NaN as float 32': [0xca, 0x7f, 0xc0, 0, 0],
  infinity: [0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0],
  'minus infinity as float 32': [0xca, 0xff, 0x80, 0, 0],
  'uint 64 of 2^53 + 1': [0xcf, 0, 0x20, 0, 0, 0, 0, 0, 1],
  'the greatest uint 64': [0xcf, ...BYTES_8],
  'the least int 64': [0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0],
  'a key that is a number': [0x81, 1, 1],
  'a key that is nil': [0x81, 0xc0, 1],
  'a key that is binary': [0x81, 0xc4, 1, 0x61, 1],
  'a string of overlong UTF-8': [0xa2, 0xc0, 0xaf],
  'an unpaired surrogate': [0xa3, 0xed, 0xa0, 0x80],
  'a key that is not UTF-8': [0x81, 0xa1, 0xff, 1],
  'a reserved byte': [0xc1],
  'a string of 4 GiB': [0xdb, 0xff, 0xff, 0xff, 0xff, 0x61],
  'an array of 4 billion': [0xdd, 0xff, 0xff, 0xff, 0xff, 0xc0],
  'a map of 4 billion': [0xdf, 0xff, 0xff, 0xff, 0xff, 0xa0, 0xc0],
  'a truncated number': [0xcf, 0, 0],
  nothing: [],
  'trailing bytes': [0xc0, 0xc0],
};

test('invalid_msgpack: each rejects the whole frame, including its valid events', async () => {
  const [good1, good2] = [bytesOf(A), bytesOf(B)];
  const bad = Object.values(BAD_FIELDS).map((bytes) => withField(...bytes));
  const arrays = bad.map((each) => Buffer.concat([Buffer.from([0x93]), good1, good2, each]));
  const others = [Buffer.alloc(0), Buffer.from(good('json'))];
  const fates = [...bad, ...arrays, ...others].map((each): Fate => [each, [], ['invalid_msgpack']]);
  await assertFates(...fates);
});

test('the message has the reason and the position', async () => {
  const frame = client.sendBinary(bytesOf({ at: new Date(0) }));
  const [error] = await client.fate(frame);
  assert.equal(error?.message, 'byte 4: extension types (such as timestamps) are not supported');
  const { body } = await post(stage, bytesOf([{ data: new Uint8Array(2) }]), MSGPACK);
  assert.equal(body.errors[0]?.message, 'byte 7: binary data is not supported');
  tally.ws(0, { invalid_msgpack: 1 });
  tally.http(0, { invalid_msgpack: 1 });
});

test('nested 60,000 levels deep, closed and open: rejected, and the worker stays up', async () => {
  const deep = Buffer.alloc(60_000, 0x91);
  const end = Buffer.from([0xc0]);
  // The maximum depth of an event, which is a level itself.
  const levels = 63;
  const some = deep.subarray(0, levels);
  const nested = `${'['.repeat(levels)}null${']'.repeat(levels)}`;
  await assertFates(
    [deep, [], ['invalid_msgpack']],
    [Buffer.concat([deep, end]), [], ['too_large', [0, 0]]],
    [Buffer.concat([deep.subarray(0, 30_000), end]), [], ['not_an_object', [0, 0]]],
    [withField(...deep, 0xc0), [], ['too_large', [0, 0]]],
    [withField(...some, 0x91, 0xc0), [], ['too_deep', [0, 0]]],
    [withField(...deep.subarray(0, 30_000), 0xc0), [], ['too_deep', [0, 0]]],
    [withField(...some, 0xc0), [`{"msg":"","clientId":"","timestamp":1,"x":${nested}}`]],
  );
});

test('not_an_object, schema and too_large name their events; the others are stored', async () => {
  const mixed = [A, null, {}, [B], B, 'text', { msg: 1.5 }];
  const ofMixed: Expected[] = [
    ['not_an_object', [1, 1], [3, 3], [5, 5]],
    ['schema', [2, 2], [6, 6]],
  ];
  // Six bytes of JSON for each of these: the frame is within its bound, the event is not.
  const escaped = event('long', { msg: '\u0001'.repeat(MAX_EVENT_BYTES / 6) });
  const filling = MAX_EVENT_BYTES - JSON.stringify(event('exact', { msg: '' })).length;
  const exact = event('exact', { msg: 'x'.repeat(filling) });
  // MessagePack is shorter, so the frame is within its bound.
  const over = event('exact', { msg: 'x'.repeat(filling + 1) });
  await assertFates(
    [bytesOf(42), [], ['not_an_object', [0, 0]]],
    [bytesOf({ msg: 1 }), [], ['schema', [0, 0]]],
    [bytesOf(mixed), [A, B], ...ofMixed],
    [bytesOf([A, escaped, B]), [A, B], ['too_large', [1, 1]]],
    [bytesOf(exact), [exact]],
    [bytesOf(over), [], ['too_large', [0, 0]]],
  );
});

test('too_many_events: 1,000 in a frame are accepted and 1,001 rejected, 10,000 in a body', async () => {
  const small = (id: number) => ({ id: `${id}`, msg: '', clientId: '', timestamp: 0 });
  const events = Array.from({ length: 10_001 }, (_, index) => small(index));
  const texts = events.map((each) => JSON.stringify(each));
  const frame = (count: number) => client.fate(client.sendBinary(bytesOf(events.slice(0, count))));
  assert.deepEqual(await frame(1_000), []);
  assert.deepEqual((await stage.newValues()).sort(), texts.slice(0, 1_000).sort());
  assertRefused(await frame(1_001), ['too_many_events']);
  tally.ws(1_000, { too_many_events: 1 });
  const answer = await post(stage, bytesOf(events.slice(1)), MSGPACK);
  assert.deepEqual(answer.body, { accepted: 10_000, errors: [] });
  assert.deepEqual((await stage.newValues()).sort(), texts.slice(1).sort());
  assertRefused((await post(stage, bytesOf(events), MSGPACK)).body.errors, ['too_many_events']);
  tally.http(10_000, { too_many_events: 1 });
});

test('all events are accounted for, without protocol violations', async () => {
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
  assert.deepEqual([...client.violations, ...neighbour.violations], []);
  assert.deepEqual(stage.gateway.errors, []);
});
