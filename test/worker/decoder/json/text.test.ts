import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  decodeNdjson,
  decodeText,
  decodeTextBody,
} from '../../../../src/worker/decoder/json/text.ts';
import { jsonText } from '../json-text.ts';
import { BOUNDS, decode } from '../recorder.ts';

const text = (input: string | Buffer, bounds = BOUNDS) => decode(decodeText, input, bounds);
const ndjson = (input: string | Buffer, bounds = BOUNDS) => decode(decodeNdjson, input, bounds);

/** Expected outcome of a valid JSON text: its bytes or a code. */
function outcome(json: string): string {
  const value: unknown = JSON.parse(json);
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? json : 'not_an_object';
}

test('a single object is one event with its original bytes, without surrounding white space', () => {
  const { received, outcomes, values } = text(' \r\n\t{"b" : 1.0, "a":"é😀"}\n ');
  assert.equal(received, 1);
  assert.deepEqual(outcomes, ['{"b" : 1.0, "a":"é😀"}']);
  assert.deepEqual(values, [{ b: 1, a: 'é😀' }]);
});

test('a pretty-printed object is one event, not lines', () => {
  const pretty = JSON.stringify({ a: 1, b: { c: [2] } }, undefined, 2);
  assert.deepEqual(text(`${pretty}\n`).outcomes, [pretty]);
});

test('each element of an array is an event with its original bytes', () => {
  fc.assert(
    fc.property(fc.array(jsonText(), { maxLength: 20 }), jsonText.blank(), (texts, blank) => {
      const frame = `${blank}[${texts.map((each) => blank + each + blank).join(',')}]${blank}`;
      const { received, outcomes, frame: code } = text(frame);
      if (texts.length === 0) assert.equal(received, 0);
      assert.equal(code, undefined);
      assert.deepEqual(outcomes, texts.map(outcome));
    }),
    { numRuns: 500 },
  );
});

test('the value of an event is JSON.parse of its bytes', () => {
  fc.assert(
    fc.property(fc.array(jsonText(), { maxLength: 20 }), (texts) => {
      const objects = texts.filter((each) => outcome(each) === each);
      const expected = objects.map((each): unknown => JSON.parse(each));
      assert.deepEqual(text(`[${objects.join(' ,')}]`).values, expected);
    }),
  );
});

test('NDJSON has an event per line that is not blank, with the bytes of the line', () => {
  const line = fc.oneof(jsonText.line(), fc.constant(''));
  fc.assert(
    fc.property(fc.array(line, { maxLength: 20 }), jsonText.blank(false), (lines, blank) => {
      const events = lines.filter((each) => each !== '');
      const body = lines.map((each) => blank + each + blank).join('\n');
      fc.pre(events.length > 0);
      assert.deepEqual(ndjson(body).outcomes, events.map(outcome));
      if (events.length > 1 && !events[0]?.startsWith('[')) {
        assert.deepEqual(text(body).outcomes, events.map(outcome));
      }
    }),
    { numRuns: 500 },
  );
});

test('any text is decoded without an exception, as specified by the protocol', () => {
  const unit = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    '"',
    ':',
    ',',
    '1',
    '\\',
    '\n',
    ' ',
    '{}',
    '"a"',
  );
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 12 }), (input) => {
      const first = input.trimStart().split('\n', 1)[0] ?? '';
      const { frame, received } = text(input);
      if (isJson(input)) assert.equal(frame, undefined);
      else if (first.startsWith('[')) assert.equal(frame, 'invalid_json');
      else assert.equal(frame, isJson(first) ? undefined : 'invalid_json');
      if (frame === undefined && !isJson(input)) {
        assert.equal(received, input.split('\n').filter((line) => line.trim() !== '').length);
      }
    }),
    { numRuns: 5_000 },
  );
});

function isJson(input: string): boolean {
  try {
    JSON.parse(input);
    return true;
  } catch {
    return false;
  }
}

test('an empty array is a frame without events', () => {
  const { received, outcomes, frame } = text(' [ ] ');
  assert.deepEqual({ received, outcomes, frame }, { received: 0, outcomes: [], frame: undefined });
});

test('an empty frame or one of white space is rejected invalid_json', () => {
  for (const input of ['', ' \r\n\t']) {
    assert.equal(text(input).frame, 'invalid_json');
    assert.equal(ndjson(input).frame, 'invalid_json');
  }
});

test('a syntax error in an array rejects the whole array', () => {
  for (const input of ['[{"a":1},{]', '[{"a":1}', '[{"a":1}]\n[]', '[1,]', '[{}]x']) {
    assert.equal(text(input).frame, 'invalid_json', input);
  }
});

test('text whose first line is not JSON is one invalid event', () => {
  for (const input of [
    '{"a":}',
    '{"a":1}x',
    'x\n{"a":1}',
    '{"a":\n{"a":1}',
    '\ufeff{}',
    '1 2\n3',
  ]) {
    assert.equal(text(input).frame, 'invalid_json', input);
  }
});

test('white space that is not JSON’s does not make a line blank', () => {
  assert.deepEqual(text('{"a":1}\n\v').outcomes, ['{"a":1}', 'invalid_json']);
  assert.equal(text('\u00a0{"a":1}').frame, 'invalid_json');
});

test('a syntax error in NDJSON rejects only its line', () => {
  const { received, outcomes } = text('\n{"a":1}\r\n\n{"a":\n[1]\n{"b":2}\n\n');
  assert.equal(received, 4);
  assert.deepEqual(outcomes, ['{"a":1}', 'invalid_json', 'not_an_object', '{"b":2}']);
});

test('the first broken line has a position, later ones are rejected without', () => {
  const lines = ['{"a":1}', '{"a":1,}', '{"a":', '{"b":2}', '[', 'x', '[1]', '{"c":3}'];
  const { outcomes, messages } = text(lines.join('\n'));
  const wrong = 'invalid_json';
  const last = ['not_an_object', '{"c":3}'];
  assert.deepEqual(outcomes, ['{"a":1}', wrong, wrong, '{"b":2}', wrong, wrong, ...last]);
  assert.deepEqual(messages.slice(0, 2), ['not valid JSON at position 7', 'not valid JSON']);
});

test('a body declared as NDJSON may begin with a broken line or an array', () => {
  assert.deepEqual(ndjson('{\n{}').outcomes, ['invalid_json', '{}']);
  assert.deepEqual(ndjson('[{}]\n{}').outcomes, ['not_an_object', '{}']);
  assert.deepEqual(ndjson('[{}]').outcomes, ['not_an_object']);
});

test('invalid UTF-8 in NDJSON rejects only its line', () => {
  const bad = Buffer.concat([
    Buffer.from('{"a":"é"}\n{"a":"'),
    Buffer.from([0xc3]),
    Buffer.from('"}\n{"b":2}'),
  ]);
  assert.deepEqual(ndjson(bad).outcomes, ['{"a":"é"}', 'invalid_utf8', '{"b":2}']);
});

test('a body that is not UTF-8 is rejected whole, a UTF-8 body is decoded as text', () => {
  const body = (input: Buffer) => decode(decodeTextBody, input);
  assert.equal(body(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])).frame, 'invalid_utf8');
  assert.deepEqual(body(Buffer.from('{"a":"é"}')).outcomes, ['{"a":"é"}']);
});

test('a value that is not an object is rejected by its index', () => {
  for (const input of ['1', 'null', '"a"', 'true']) {
    assert.deepEqual(text(input).outcomes, ['not_an_object']);
  }
  assert.deepEqual(text('[{},null,[],{}]').outcomes, [
    '{}',
    'not_an_object',
    'not_an_object',
    '{}',
  ]);
});

test('an event of maximum length is accepted, one byte more is rejected alone', () => {
  const ten = { maxEvents: 10, maxEventBytes: 10, maxDepth: 64 };
  const exact = '{"a":"bc"}';
  const over = '{"a":"bé"}';
  assert.deepEqual(text(`  ${exact}  `, ten).outcomes, [exact]);
  assert.deepEqual(text(over, ten).outcomes, ['too_large']);
  assert.deepEqual(text(`[${over}, ${exact} ]`, ten).outcomes, ['too_large', exact]);
  assert.deepEqual(text(`${exact}\n${over}\n{}`, ten).outcomes, [exact, 'too_large', '{}']);
  assert.deepEqual(text(`${over}\n{}`, ten).outcomes, ['too_large', '{}']);
});

test('a frame with the maximum events is accepted, with one more it is rejected as one event', () => {
  const bounds = { ...BOUNDS, maxEvents: 3 };
  assert.equal(text('[{},{},{}]', bounds).received, 3);
  assert.equal(text('{}\n{}\n\n{}\n', bounds).received, 3);
  assert.equal(ndjson('{}\n{}\n{}', bounds).received, 3);
  assert.equal(text('[{},{},{},{}]', bounds).frame, 'too_many_events');
  assert.equal(text('{}\n{}\n{}\n{}', bounds).frame, 'too_many_events');
  assert.equal(ndjson('{}\n{}\n{}\nx', bounds).frame, 'too_many_events');
});

test('deep nesting neither crashes nor slows decoding: valid, unclosed, and in an array', () => {
  const levels = 60_000;
  const bounds = { ...BOUNDS, maxEventBytes: 1_000_000, maxDepth: 100_000 };
  const deep = `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;
  assert.deepEqual(text(deep, bounds).outcomes, [deep]);
  assert.deepEqual(text(`[${deep},${deep}]`, bounds).outcomes, [deep, deep]);
  assert.equal(text('['.repeat(levels), bounds).frame, 'invalid_json');
  assert.equal(text('{"a":'.repeat(levels), bounds).frame, 'invalid_json');
});

test('a field named __proto__ is an ordinary field', () => {
  const [value] = text('{"__proto__":{"msg":"x"}}').values;
  assert.deepEqual(Object.keys(value ?? {}), ['__proto__']);
  assert.equal(value?.msg, undefined);
});

test('a message has the position if known and never quotes the text', () => {
  assert.deepEqual(text('{"a":1,}').messages, ['not valid JSON at position 7']);
  assert.deepEqual(text('{"a":').messages, ['not valid JSON: unexpected end of input']);
  assert.deepEqual(text('').messages, ['not valid JSON: unexpected end of input']);
  for (const input of [
    'secret',
    '{"a": secret}',
    '["secret" x]',
    ' at position 7',
    '"at position 7',
  ]) {
    const [message = ''] = text(input).messages;
    assert.match(message, /^not valid JSON(: unexpected end of input| at position \d+)?$/, input);
    if (input.startsWith(' at')) assert.equal(message, 'not valid JSON');
  }
});

test('a position in NDJSON counts from the first byte of the event', () => {
  assert.deepEqual(text('{"a":1}\n  {"a":1,}').messages, ['not valid JSON at position 7']);
});

test('rejections by length and count name the limit', () => {
  const bounds = { maxEvents: 2, maxEventBytes: 4, maxDepth: 64 };
  assert.deepEqual(text('{"a":1}', bounds).messages, ['7 bytes exceed the limit of 4']);
  assert.deepEqual(text('[1,2,3]', bounds).messages, ['more than 2 events']);
});

const GOOD = '{"a":1}';
const MARKED = 'not valid JSON: it begins with a byte order mark (UTF-8)';

test('a byte order mark is reported as the reason, whatever follows it', () => {
  for (const rest of [GOOD, `[${GOOD}]`, `${GOOD}\n${GOOD}`, '', ' ', '\ufeff', 'x']) {
    for (const input of [`\ufeff${rest}`, ` \n\ufeff${rest}`]) {
      for (const { frame, messages } of [text(input), decode(decodeTextBody, input)]) {
        assert.deepEqual([frame, messages], ['invalid_json', [MARKED]], JSON.stringify(input));
      }
    }
  }
  const inside = `{"a":"\ufeff"}`;
  assert.deepEqual(text(inside).outcomes, [inside]);
});

test('in NDJSON a byte order mark is reported for its line', () => {
  const first = ndjson(`\ufeff${GOOD}\n${GOOD}`);
  assert.deepEqual(first.outcomes, ['invalid_json', GOOD]);
  assert.deepEqual(first.messages, [MARKED]);
  const joined = ndjson(`${GOOD}\n\ufeff${GOOD}\n\ufeff${GOOD}\n`);
  assert.deepEqual(joined.outcomes, [GOOD, 'invalid_json', 'invalid_json']);
  assert.deepEqual(joined.messages, [MARKED, MARKED]);
});

test('a body in UTF-16 or UTF-32 is reported with its byte order mark', () => {
  const forms = { 'UTF-16': ['fffe7b007d00', 'feff007b007d'], 'UTF-32': ['fffe0000', '0000feff'] };
  for (const [encoding, bodies] of Object.entries(forms)) {
    for (const body of bodies) {
      const message = `not valid UTF-8: it begins with a byte order mark (${encoding})`;
      const bytes = Buffer.from(body, 'hex');
      const whole = decode(decodeTextBody, bytes);
      assert.deepEqual([whole.frame, whole.messages], ['invalid_utf8', [message]]);
      const lines = ndjson(bytes);
      assert.deepEqual([lines.outcomes, lines.messages], [['invalid_utf8'], [message]]);
    }
  }
});
