/** Maximum nesting depth, the same for every decoder. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import type { JsonObject } from '../../../src/common/json-object.ts';
import { LIMITS } from '../../../src/config/limits.ts';
import type { DecodeBounds } from '../../../src/worker/decoder/decode-bounds.ts';
import type { EventSink } from '../../../src/worker/decoder/event-sink.ts';
import { nestsDeeper } from '../../../src/worker/decoder/json/json-scanner.ts';
import {
  type SlicedDecoder,
  sliceNdjson,
  sliceTextBody,
} from '../../../src/worker/decoder/json/slices.ts';
import { decodeNdjson, decodeText, decodeTextBody } from '../../../src/worker/decoder/json/text.ts';
import { decodeMsgpack, sliceMsgpack } from '../../../src/worker/decoder/msgpack/msgpack.ts';
import { BOUNDS, decode, FAST_VALIDATOR } from './recorder.ts';

const MAX_DEPTH = 9;
const bounds: DecodeBounds = { ...BOUNDS, maxDepth: MAX_DEPTH };

function inSlices(decoder: SlicedDecoder, sliceBytes: number) {
  return (bytes: Buffer, limits: DecodeBounds, sink: EventSink): number => {
    let received = 0;
    for (const events of decoder(bytes, limits, sink, { sliceBytes, sliceEvents: 2 })) {
      received += events;
    }
    return received;
  };
}

const SLICES = [1, 50, LIMITS.sliceBytes];
const TEXT = [decodeText, decodeTextBody, ...SLICES.map((bytes) => inSlices(sliceTextBody, bytes))];
const LINES = [...TEXT, decodeNdjson, ...SLICES.map((bytes) => inSlices(sliceNdjson, bytes))];
const PACKED = [decodeMsgpack, ...SLICES.map((bytes) => inSlices(sliceMsgpack, bytes))];

/** Builds values with `levels` levels below that of the event, by kind. */
const NESTS: Readonly<Record<string, (levels: number) => unknown>> = {
  arrays: (levels) => nested(levels, (inner) => [inner]),
  'empty arrays': (levels) => nested(levels - 1, (inner) => [inner], []),
  objects: (levels) => nested(levels, (inner) => ({ a: inner })),
  'empty objects': (levels) => nested(levels - 1, (inner) => [1, inner], {}),
  both: (levels) => nested(levels, (inner, level) => (level % 2 ? [inner, 1] : { '[': inner })),
};

function nested(
  levels: number,
  around: (inner: unknown, level: number) => unknown,
  innermost: unknown = 'x]}',
): unknown {
  let value = innermost;
  for (let level = 0; level < levels; level++) value = around(value, level);
  return value;
}

/** An event of the built-in schema with this depth. */
function event(depth: number, nest: (levels: number) => unknown): JsonObject {
  return { msg: '[{', clientId: 'c', timestamp: 1, more: nest(depth - 1), last: [[1], {}] };
}

for (const [kind, nest] of Object.entries(NESTS)) {
  test(`${kind}: an event of maximum depth is accepted, a deeper one is rejected alone`, () => {
    for (const fastValidator of [undefined, FAST_VALIDATOR]) {
      for (const deeper of [1, 2, 10, 60, 500]) {
        const [good, deep] = [event(MAX_DEPTH, nest), event(MAX_DEPTH + deeper, nest)];
        const [goodText, deepText] = [JSON.stringify(good), JSON.stringify(deep)];
        const all = [goodText, 'too_deep', goodText];
        for (const decoder of LINES) {
          const lines = decode(
            decoder,
            `${goodText}\n${deepText}\n${goodText}`,
            bounds,
            fastValidator,
          );
          assert.deepEqual(lines.outcomes, all);
        }
        for (const decoder of TEXT) {
          assert.deepEqual(decode(decoder, goodText, bounds, fastValidator).outcomes, [goodText]);
          assert.deepEqual(decode(decoder, deepText, bounds, fastValidator).outcomes, ['too_deep']);
          const array = decode(
            decoder,
            `[${goodText}, ${deepText},${goodText}]`,
            bounds,
            fastValidator,
          );
          assert.deepEqual(array.outcomes, all);
        }
        for (const decoder of PACKED) {
          const pack = (value: unknown) => Buffer.from(encode(value, { maxDepth: 1_000 }));
          assert.deepEqual(decode(decoder, pack(deep), bounds, fastValidator).outcomes, [
            'too_deep',
          ]);
          const array = decode(decoder, pack([good, deep, good]), bounds, fastValidator);
          assert.deepEqual(array.outcomes, all);
        }
      }
    }
  });
}

test('text that is not JSON is invalid_json, however deep it is before and after its error', () => {
  const deep = '['.repeat(2 * MAX_DEPTH);
  const ends = ']'.repeat(2 * MAX_DEPTH);
  const good = '{"msg":"m","clientId":"c","timestamp":1}';
  for (const bad of [`{"a":${deep}`, `{"a":${deep}1}${ends}}`, `{"a":x${deep}${ends}}`, deep]) {
    for (const fastValidator of [undefined, FAST_VALIDATOR]) {
      for (const decoder of TEXT) {
        assert.equal(decode(decoder, bad, bounds, fastValidator).frame, 'invalid_json', bad);
        assert.equal(
          decode(decoder, `[${good},${bad},${good}]`, bounds, fastValidator).frame,
          'invalid_json',
        );
      }
      for (const decoder of LINES) {
        const lines = `${good}\n${bad}\n${bad}\n${good}`;
        const { outcomes } = decode(decoder, lines, bounds, fastValidator);
        assert.deepEqual(outcomes, [good, 'invalid_json', 'invalid_json', good]);
      }
    }
  }
});

test('every decoder checks bounds in the same order: length, type, depth', () => {
  const short: DecodeBounds = { ...bounds, maxEventBytes: 60 };
  const deep = `{"a":${'['.repeat(40)}${']'.repeat(40)}}`;
  for (const decoder of LINES) {
    assert.deepEqual(decode(decoder, `{}\n${deep}`, short).outcomes, ['{}', 'too_large']);
    const array = deep.slice('{"a":'.length, -1);
    assert.deepEqual(decode(decoder, `{}\n${array}`, bounds).outcomes, ['{}', 'not_an_object']);
  }
  for (const decoder of TEXT) {
    assert.deepEqual(decode(decoder, deep, short).outcomes, ['too_large']);
    assert.deepEqual(decode(decoder, `[{},${deep}]`, short).outcomes, ['{}', 'too_large']);
    // The type is checked before the depth.
    const element = `${'['.repeat(2 * MAX_DEPTH)}${']'.repeat(2 * MAX_DEPTH)}`;
    assert.deepEqual(decode(decoder, `[${element}]`, short).outcomes, ['not_an_object']);
    assert.deepEqual(decode(decoder, `${element}`, short).outcomes, ['not_an_object']);
    const many = `[${new Array(3).fill(`{"a":${element}}`).join(',')}]`;
    assert.equal(decode(decoder, many, { ...short, maxEvents: 2 }).frame, 'too_many_events');
  }
});

test('brackets in strings do not count as nesting', () => {
  const at = (text: string, max: number) => nestsDeeper(Buffer.from(text), 0, text.length, max);
  assert(!at(`{"a":"${'['.repeat(99)}\\"${'['.repeat(99)}"}`, 1));
  assert(at('{"a":"\\\\",  "b":[]}', 1));
  assert(!at('[[],{},[],{}]', 2));
  assert(at('[[],{},[{}],{}]', 2));
});
