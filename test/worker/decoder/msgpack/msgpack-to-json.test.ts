import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode as decodeByLibrary, encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { MsgpackToJson } from '../../../../src/worker/decoder/msgpack/msgpack-to-json.ts';

/** Reused for all frames, as in a worker. */
const shared = new MsgpackToJson();

/** Converts a frame to lines of JSON, or returns its error. */
function convert(
  frame: Uint8Array,
  sliceBytes = frame.length,
  converter = shared,
): string[] | string {
  converter.begin(Buffer.from(frame));
  while (!converter.advance(sliceBytes));
  if (converter.problem !== undefined) return converter.problem;
  const { json, ends } = converter;
  assert.equal(ends.length, converter.events);
  const lines = ends.map((end, index) => {
    const start = index === 0 ? 0 : ends[index - 1]! + 1;
    assert.equal(json[end], 0x0a, 'each event is a line');
    return json.toString('utf8', start, end);
  });
  assert((ends.at(-1) ?? -1) < frame.length * 6, 'the JSON fits the buffer');
  return lines;
}

function bytes(...parts: readonly (number | string | Uint8Array)[]): Buffer {
  const all = parts.map((part) => Buffer.from(typeof part === 'number' ? [part] : part));
  return Buffer.concat(all);
}

/** A map with the one field `a`, whose value begins at byte 3. */
const field = (...value: readonly (number | string | Uint8Array)[]) =>
  bytes(0x81, 0xa1, 'a', ...value);

/** A number in MessagePack, after its first byte. */
function number(type: number, write: (into: Buffer) => number): Buffer {
  const into = Buffer.alloc(9, type);
  return into.subarray(0, write(into));
}

const f32 = (value: number) => number(0xca, (into) => into.writeFloatBE(value, 1));
const f64 = (value: number) => number(0xcb, (into) => into.writeDoubleBE(value, 1));
const u64 = (value: bigint) => number(0xcf, (into) => into.writeBigUInt64BE(value, 1));
const i64 = (value: bigint) => number(0xd3, (into) => into.writeBigInt64BE(value, 1));

const ENDS = 'unexpected end of input';
const LONGER = 'array or map length exceeds the remaining input';
const BINARY = 'binary data is not supported';
const EXTENSION = 'extension types (such as timestamps) are not supported';
const NOT_FINITE = 'number is not finite';
const BEYOND = 'integer beyond 2^53';
const NOT_UTF8 = 'string is not valid UTF-8';
const KEY = 'map key is not a string';

/** Expected JSON or error for each first byte, followed by enough zeros. */
function expectedOf(type: number): { json: string } | { wrong: string } {
  const zeros = (count: number) => '\\u0000'.repeat(count);
  if (type < 0x80) return { json: String(type) };
  if (type < 0x90) return type === 0x80 ? { json: '{}' } : { wrong: KEY };
  if (type < 0xa0) return { json: `[${new Array(type - 0x90).fill(0).join(',')}]` };
  if (type < 0xc0) return { json: `"${zeros(type - 0xa0)}"` };
  if (type >= 0xe0) return { json: String(type - 0x100) };
  const words: Readonly<Record<number, string>> = { 192: 'null', 194: 'false', 195: 'true' };
  if (words[type] !== undefined) return { json: words[type] };
  if (type === 0xc1) return { wrong: 'not a MessagePack type' };
  if (type <= 0xc6) return { wrong: BINARY };
  if (type <= 0xc9 || (type >= 0xd4 && type <= 0xd8)) return { wrong: EXTENSION };
  if (type <= 0xd3) return { json: '0' };
  if (type <= 0xdb) return { json: '""' };
  return { json: type <= 0xdd ? '[]' : '{}' };
}

/** Length of a value with this first byte, followed by zeros. */
function lengthOf(type: number): number {
  if (type > 0x80 && type < 0x90) return 40;
  if (type <= 0x80 || type >= 0xe0) return 1;
  if (type < 0xa0) return 1 + type - 0x90;
  if (type < 0xc0) return 1 + type - 0xa0;
  const lengths = new Map([
    [1, [0xc0, 0xc2, 0xc3]],
    [2, [0xcc, 0xd0, 0xd9]],
    [3, [0xcd, 0xd1, 0xda, 0xdc, 0xde]],
    [5, [0xca, 0xce, 0xd2, 0xdb, 0xdd, 0xdf]],
    [9, [0xcb, 0xcf, 0xd3]],
  ]);
  for (const [length, types] of lengths) if (types.includes(type)) return length;
  return 20;
}

test('each first byte is converted, or rejected with its kind and offset', () => {
  for (let type = 0; type < 0x100; type++) {
    const expected = expectedOf(type);
    const value = Buffer.alloc(lengthOf(type));
    value[0] = type;
    const found = convert(field(value));
    if ('json' in expected) assert.deepEqual(found, [`{"a":${expected.json}}`], `${type}`);
    else assert.match(String(found), new RegExp(`^byte \\d: ${escaped(expected.wrong)}$`));
  }
});

function escaped(text: string): string {
  return text.replace(/[()^]/g, '\\$&');
}

test('each first byte as a key: only strings are accepted', () => {
  for (let type = 0; type < 0x100; type++) {
    const isString = (type >= 0xa0 && type < 0xc0) || (type >= 0xd9 && type <= 0xdb);
    const found = convert(bytes(0x81, type, new Uint8Array(40)));
    const expected = isString ? 'unexpected bytes after the end' : KEY;
    assert.match(String(found), new RegExp(expected), `${type}`);
  }
});

test('integers are accepted up to 2^53, floats are written as in JavaScript', () => {
  for (const [value, expected] of [
    [u64(2n ** 53n), '9007199254740992'],
    [u64(2n ** 53n + 1n), BEYOND],
    [u64(2n ** 63n), BEYOND],
    [u64(2n ** 64n - 1n), BEYOND],
    [u64(4294967296n), '4294967296'],
    [i64(-(2n ** 53n)), '-9007199254740992'],
    [i64(-(2n ** 53n) - 1n), BEYOND],
    [i64(2n ** 53n), '9007199254740992'],
    [i64(2n ** 53n + 1n), BEYOND],
    [i64(-1n), '-1'],
    [i64(-(2n ** 63n)), BEYOND],
    [bytes(0xce, 0xff, 0xff, 0xff, 0xff), '4294967295'],
    [bytes(0xd2, 0x80, 0, 0, 0), '-2147483648'],
    [bytes(0xd1, 0xff, 0xfe), '-2'],
    [bytes(0xd0, 0x80), '-128'],
    [bytes(0xcc, 0xff), '255'],
    [bytes(0xcd, 0xff, 0xff), '65535'],
    [f64(1), '1'],
    [f64(-0), '-0'],
    [f32(-0), '-0'],
    [f64(0.1), '0.1'],
    [f32(0.1), '0.10000000149011612'],
    [f64(1e300), '1e+300'],
    [f64(2 ** 60), '1152921504606847000'],
    [f64(5e-324), '5e-324'],
    [f64(Number.NaN), NOT_FINITE],
    [f64(Number.POSITIVE_INFINITY), NOT_FINITE],
    [f64(Number.NEGATIVE_INFINITY), NOT_FINITE],
    [f32(Number.NaN), NOT_FINITE],
    [f32(Number.POSITIVE_INFINITY), NOT_FINITE],
    [f32(Number.NEGATIVE_INFINITY), NOT_FINITE],
    [bytes(0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 1), NOT_FINITE],
  ] as const) {
    const isRejected = [BEYOND, NOT_FINITE].includes(expected);
    const found = convert(field(value));
    assert.deepEqual(found, isRejected ? `byte 3: ${expected}` : [`{"a":${expected}}`]);
  }
});

test('strings that are not UTF-8 are rejected: truncated, overlong, surrogates, beyond U+10FFFF', () => {
  for (const wrong of [
    [0x80],
    [0xc3],
    [0xc3, 0x28],
    [0xc0, 0xaf],
    [0xc1, 0xbf],
    [0xe0, 0x80, 0xaf],
    [0xe2, 0x82],
    [0xed, 0xa0, 0x80],
    [0xed, 0xbf, 0xbf],
    [0xf0, 0x80, 0x80, 0xaf],
    [0xf0, 0x9f, 0x98],
    [0xf4, 0x90, 0x80, 0x80],
    [0xf8, 0x88, 0x80, 0x80, 0x80],
    [0xff],
  ]) {
    const text = bytes('x', Buffer.from(wrong));
    assert.equal(convert(field(0xa0 + text.length, text)), `byte 3: ${NOT_UTF8}`);
    assert.equal(convert(bytes(0x81, 0xa0 + text.length, text, 1)), `byte 1: ${NOT_UTF8}`);
  }
  // A completing byte outside the string does not count.
  assert.equal(convert(bytes(0x92, field(0xa1, 0xc3), field(0xa1, 0xa9))), `byte 4: ${NOT_UTF8}`);
});

test('lengths beyond the input are rejected: huge ones, and every truncation', () => {
  const huge = [0xff, 0xff, 0xff, 0xff];
  assert.equal(convert(bytes(0xdd, ...huge)), `byte 0: ${LONGER}`);
  assert.equal(convert(bytes(0xdf, ...huge, 0xa0)), `byte 0: ${LONGER}`);
  assert.equal(convert(field(0xdd, ...huge, 1, 2)), `byte 3: ${LONGER}`);
  assert.equal(convert(field(0xdf, ...huge, 1, 2)), `byte 3: ${LONGER}`);
  assert.match(String(convert(field(0xdb, ...huge, 'x'))), /^byte 3: string length exceeds/);
  assert.match(String(convert(bytes(0x81, 0xdb, ...huge))), /^byte 1: string length exceeds/);
  assert.equal(convert(bytes(0x82, 0xa1, 'a', 1)), `byte 0: ${LONGER}`);
  assert.equal(convert(bytes()), `byte 0: ${ENDS}`);
  const whole = Buffer.from(encode([{ a: [1, 'é', 0.5, { b: null }], c: 1e9, d: 'x'.repeat(40) }]));
  assert.deepEqual(JSON.parse(String(convert(whole))), (decodeByLibrary(whole) as unknown[])[0]);
  for (let end = 0; end < whole.length; end++) {
    assert.equal(typeof convert(whole.subarray(0, end)), 'string', `${end} bytes`);
  }
});

test('bytes after the end are rejected, with a hint for JSON in a binary frame', () => {
  assert.equal(convert(bytes(0x80, 0x80)), 'byte 1: unexpected bytes after the end');
  assert.equal(convert(bytes(0x90, 0xc0)), 'byte 1: unexpected bytes after the end');
  assert.equal(convert(bytes(0x91, 0x80, 0)), 'byte 2: unexpected bytes after the end');
  const text = 'byte 1: unexpected bytes after the end; the input looks like JSON';
  assert.equal(convert(Buffer.from('{"a":1}')), text);
  assert.equal(convert(Buffer.from('[{"a":1}]')), text);
  const marked = (encoding: string) =>
    `byte 1: unexpected bytes after the end; ` +
    `the input begins with a byte order mark (${encoding}), like text`;
  assert.equal(convert(Buffer.from('\ufeff{"a":1}')), marked('UTF-8'));
  assert.equal(convert(Buffer.from('\ufeff{"a":1}', 'utf16le')), marked('UTF-16'));
});

test('fields keep their order and duplicates, with any names', () => {
  const names = ['b', '10', '9', '', 'b', '__proto__', 'constructor', 'toJSON', '"', '\0', 'é'];
  const fields = names.flatMap((name, index) => {
    const key = Buffer.from(name);
    return [bytes(0xa0 + key.length), key, bytes(index)];
  });
  const written = names.map((name, index) => `${JSON.stringify(name)}:${index}`).join(',');
  assert.deepEqual(convert(bytes(0x80 + names.length, ...fields)), [`{${written}}`]);
});

test('60,000 levels are converted without recursion, closed or not', () => {
  const levels = 60_000;
  const arrays = convert(field(Buffer.alloc(levels, 0x91), 1));
  assert.deepEqual(arrays, [`{"a":${'['.repeat(levels)}1${']'.repeat(levels)}}`]);
  const maps = convert(bytes(Buffer.alloc(2 * levels, Buffer.from([0x81, 0xa0])), 0xc0));
  assert.deepEqual(maps, [`${'{"":'.repeat(levels)}null${'}'.repeat(levels)}`]);
  assert.equal(convert(Buffer.alloc(levels, 0x91)), `byte ${levels - 1}: ${LONGER}`);
  const cut = Buffer.alloc(2 * levels, Buffer.from([0x81, 0xa0]));
  assert.equal(convert(cut), `byte ${2 * levels - 2}: ${LONGER}`);
  assert.equal(convert(bytes(cut, 0x92, 0x91)), `byte ${2 * levels}: ${LONGER}`);
});

test('the values that grow most fit the buffer, in a frame of each', () => {
  for (const value of [bytes(0xc2), bytes(0xa1, 0), bytes(0x80), f32(-1.1754943508222875e-38)]) {
    const count = 0xffff;
    const all = Buffer.alloc(count * value.length, value);
    // A new instance has no buffer from previous frames.
    const alone = (frame: Buffer) => convert(frame, frame.length, new MsgpackToJson());
    const [line = ''] = alone(field(0xdc, 0xff, 0xff, all));
    assert.equal((JSON.parse(line) as { a: unknown[] }).a.length, count);
    assert.equal(alone(bytes(0xdc, 0xff, 0xff, all)).length, count);
  }
});

/** Any value of both JSON and MessagePack. */
const value = fc.oneof(
  fc.jsonValue({ depthSize: 'medium' }),
  fc.dictionary(
    fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('0', '1', 'constructor', 'toJSON')),
    fc.oneof(fc.maxSafeInteger(), fc.float({ noNaN: true, noDefaultInfinity: true })),
  ),
);

test('any value encoded by the library is converted to JSON of the same value', () => {
  fc.assert(
    fc.property(value, (event) => {
      const frame = encode([event]);
      // As decoded by the library: its integers lose the sign of 0.
      let expected: unknown;
      try {
        [expected] = decodeByLibrary(frame) as unknown[];
      } catch {
        // The library throws for a field named __proto__.
        return fc.pre(false);
      }
      const found = convert(frame);
      assert(Array.isArray(found), String(found));
      assert.deepEqual(found.map(parse), [expected]);
    }),
    { numRuns: 1_000 },
  );
});

test('any bytes and mutated frames: rejected, or decoded as by the library', () => {
  const change = fc.record({
    at: fc.nat(),
    removed: fc.nat(2),
    added: fc.uint8Array({ maxLength: 2 }),
  });
  const changed = fc
    .tuple(value, fc.array(change, { minLength: 1, maxLength: 3 }))
    .map(([event, changes]) => {
      let frame = bytes(encode(event));
      for (const { at, removed, added } of changes) {
        const place = at % (frame.length + 1);
        frame = bytes(frame.subarray(0, place), added, frame.subarray(place + removed));
      }
      return frame;
    });
  const any = fc.uint8Array({ maxLength: 60 }).map((found) => bytes(found));
  let [accepted, rejected] = [0, 0];
  fc.assert(
    fc.property(fc.oneof({ weight: 4, arbitrary: changed }, any), (frame) => {
      const found = convert(frame);
      assert.deepEqual(convert(frame, 1), found, 'the same in slices');
      if (!Array.isArray(found)) {
        rejected++;
        assert.match(found, /^byte \d+: [a-zA-Z0-9 ^(),;-]+$/);
        return;
      }
      accepted++;
      const values = found.map(parse);
      let expected: unknown;
      try {
        expected = decodeByLibrary(frame);
      } catch (error) {
        assert.match(String(error), /__proto__/, frame.toString('hex'));
        return;
      }
      assert.deepEqual(Array.isArray(expected) ? values : values[0], expected);
    }),
    { numRuns: 4_000 },
  );
  assert(accepted > 100 && rejected > 100, `${accepted} were accepted, ${rejected} rejected`);
});

function parse(json: string): unknown {
  return JSON.parse(json);
}
