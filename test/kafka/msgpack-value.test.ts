import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { SETTINGS } from '../../src/config/settings.ts';
import { DEPTH_MAX, msgpackToJson } from '../../src/kafka/msgpack-value.ts';
import { MsgpackToJson } from '../../src/worker/decoder/msgpack/msgpack-to-json.ts';

const json = (...bytes: readonly number[]) => msgpackToJson(Buffer.from(bytes));
const text = (characters: string) => [0xa0 + characters.length, ...Buffer.from(characters)];

/** JSON or error of the gateway's own converter, whose frame is an array of events. */
function stored(bytes: Buffer): string | undefined {
  const converter = new MsgpackToJson();
  converter.begin(Buffer.concat([Buffer.from([0x91]), bytes]));
  converter.advance(bytes.length + 1);
  if (converter.problem !== undefined) return undefined;
  return converter.json.toString('utf8', 0, converter.ends[0]);
}

function read(bytes: Buffer): string | undefined {
  try {
    return msgpackToJson(bytes);
  } catch (error) {
    assert(error instanceof Error, String(error));
    assert.match(error.message, /^[\x20-\x7e]+$/);
    return undefined;
  }
}

test('an event of every type that JSON has', () => {
  const event = {
    s: 'ß 🙂 "\n',
    n: 1,
    f: 1.5,
    t: true,
    u: false,
    z: null,
    a: [1, [], {}],
    o: { p: 1 },
  };
  assert.equal(msgpackToJson(Buffer.from(encode(event))), JSON.stringify(event));
});

test('fields keep order, duplicates and names, as in JSON that the gateway stores', () => {
  const bytes = [0x85, ...text('b'), 1, ...text('2'), 2, ...text('b'), 3, ...text('1'), 4];
  bytes.push(...text('__proto__'), 0x81, ...text('x'), 5);
  const found = json(...bytes);
  assert.equal(found, '{"b":1,"2":2,"b":3,"1":4,"__proto__":{"x":5}}');
  assert.equal(found, stored(Buffer.from(bytes)));
  assert.equal(json(0x81, ...text(':'), 1), '{":":1}');
});

test('integers have all their digits, up to 2^53 in 64 bits', () => {
  assert.equal(json(0xcf, 0, 0, 0, 0, 0, 0, 0, 1), '1');
  assert.equal(json(0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0), '9007199254740992');
  assert.equal(json(0xd3, 0xff, 0xe0, 0, 0, 0, 0, 0, 0), '-9007199254740992');
  for (const bytes of [
    [0xcf, 0, 0x20, 0, 0, 0, 0, 0, 1],
    [0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    [0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0],
  ]) {
    assert.throws(() => json(...bytes), /integer beyond 2\^53/);
  }
});

test('floats are written as in JavaScript, with the sign of zero', () => {
  assert.equal(json(0xcb, 0x80, 0, 0, 0, 0, 0, 0, 0), '-0');
  assert.equal(json(0xca, 0x3d, 0xcc, 0xcc, 0xcd), '0.10000000149011612');
  assert.equal(json(0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0), '1');
});

test('a byte order mark, and long strings, are unchanged', () => {
  for (const value of ['\ufeffa', `\ufeff${'long '.repeat(100)}`, '\u0000', '🙂'.repeat(500)]) {
    assert.equal(JSON.parse(msgpackToJson(Buffer.from(encode(value)))), value);
    const event = msgpackToJson(Buffer.from(encode({ [value]: value })));
    assert.deepEqual(Object.entries(JSON.parse(event)), [[value, value]]);
  }
});

const NAN = [0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0];
const REJECTED: Readonly<Record<string, readonly (readonly number[])[]>> = {
  'unexpected end of input': [[], [0xcd, 1], [0xdc, 0], [0xd9], [0x81, ...text('a')]],
  'string length exceeds the remaining input': [
    [0xa2, 0x61],
    [0xdb, 0xff, 0xff, 0xff, 0xff],
  ],
  'array or map length exceeds the remaining input': [
    [0x92, 1],
    [0x81, 0xa0],
    [0xdd, 0xff, 0xff, 0xff, 0xff, 1],
    [0xdf, 0xff, 0xff, 0xff, 0xff, 1],
    [0x92, 0x92, 1, 2],
  ],
  'unexpected bytes after the end': [[1, 1], [...Buffer.from('{"a":1}')], [0x80, 0xc0]],
  'binary data is not supported': [
    [0xc4, 1, 0],
    [0x81, ...text('a'), 0xc6, 0xff, 0xff, 0xff, 0xff],
  ],
  'extension types are not supported': [
    [0xd6, 0xff, 0, 0, 0, 0],
    [0xc7, 0, 1],
    [0xd8, 5],
    [0xc9, 0xff, 0xff],
  ],
  'not a MessagePack type': [[0xc1], [0x91, 0xc1]],
  'map key is not a string': [
    [0x81, 1, 1],
    [0x81, 0x90, 1],
    [0x81, 0x80, 1],
    [0x81, 0xc0, 1],
  ],
  'number is not finite': [NAN, [0xca, 0x7f, 0x80, 0, 0], [0xca, 0xff, 0x80, 0, 0]],
  'string is not valid UTF-8': [
    [0xa1, 0xff],
    [0x81, 0xa1, 0xc3, 1],
    [0xa3, 0xed, 0xa0, 0x80],
  ],
};

for (const [message, values] of Object.entries(REJECTED)) {
  test(`rejected, as by the gateway: ${message}`, () => {
    for (const bytes of values) {
      assert.throws(() => json(...bytes), { message });
      assert.equal(stored(Buffer.from(bytes)), undefined);
    }
  });
}

test('any nesting that the gateway may accept is read; a deeper one is rejected', () => {
  const { parse } = SETTINGS.maxEventDepth;
  assert.equal(parse(String(DEPTH_MAX)), DEPTH_MAX);
  assert.throws(() => parse(String(DEPTH_MAX + 1)));
  const nested = (depth: number) =>
    Buffer.concat([Buffer.alloc(depth - 1, 0x91), Buffer.from([0x90])]);
  assert.equal(msgpackToJson(nested(DEPTH_MAX)), '['.repeat(DEPTH_MAX) + ']'.repeat(DEPTH_MAX));
  for (const depth of [DEPTH_MAX + 1, 1_000_000]) {
    assert.throws(() => msgpackToJson(nested(depth)), /^Error: nested more than 1000 deep$/);
  }
});

test('declared lengths allocate nothing: nested arrays of the maximum length', () => {
  const size = 2 ** 20;
  const head = Buffer.from([0xdd, 0, 0x0f, 0xff, 0xf0]);
  const bytes = Buffer.alloc(size, head);
  const before = process.memoryUsage().heapUsed;
  assert.throws(() => msgpackToJson(bytes), /array or map length exceeds the remaining input/);
  assert(process.memoryUsage().heapUsed - before < size, 'no array was allocated');
});

test('values of any kind: the same JSON as the gateway stores, or an error for both', () => {
  const property = fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
    const bytes = Buffer.from(encode(value, { ignoreUndefined: true }));
    assert.equal(read(bytes), stored(bytes));
  });
  fc.assert(property, { numRuns: 2_000 });
});

test('any bytes: the same JSON as the gateway stores, or an error for both', () => {
  const heads = fc.constantFrom(0x81, 0x82, 0x91, 0x92, 0xa1, 0xc0, 0xc1, 0xc4, 0xc7, 0xca, 0xcb);
  const heavy = fc.constantFrom(0xcf, 0xd3, 0xd4, 0xd9, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xff);
  const byte = fc.oneof(heads, heavy, fc.integer({ min: 0, max: 0xff }), fc.constant(0));
  const property = fc.property(fc.array(byte, { maxLength: 40 }), (values) => {
    const bytes = Buffer.from(values);
    assert.equal(read(bytes), stored(bytes));
  });
  fc.assert(property, { numRuns: 20_000 });
});
