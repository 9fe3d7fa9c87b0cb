import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '../../../../src/common/json-object.ts';
import { INVALID } from '../../../../src/worker/decoder/json/json-grammar.ts';
import { decodeNdjson, decodeText } from '../../../../src/worker/decoder/json/text.ts';
import type { FastValidator } from '../../../../src/worker/decoder/kernel/fast-validator.ts';
import { LocatedFields } from '../../../../src/worker/decoder/kernel/located-fields.ts';
import { KeyField } from '../../../../src/worker/decoder/key-field.ts';
import { loadValidator } from '../../../../src/worker/intake/validator.ts';
import { builtInValidator } from '../../../support/fast-validators.ts';
import { jsonText } from '../json-text.ts';
import { BOUNDS, decode, FAST_VALIDATOR } from '../recorder.ts';

const validate = loadValidator(undefined);
const KEY_FIELDS = [
  'clientId',
  'msg',
  'timestamp',
  'user',
  'ключ',
  '__proto__',
  'user.id',
  'user.id.x',
  'msg.length',
  'constructor.name',
];

/** Validates `text` in its own buffer. @returns end and key of the object, if accepted */
function validateFast(
  fastValidator: FastValidator,
  text: string,
): { end: number; key: string | undefined } | undefined {
  const bytes = Buffer.from(text);
  fastValidator.load(bytes, 0, bytes.length);
  const end = fastValidator.objectEnd(0, bytes.length, 64);
  if (end === INVALID) return undefined;
  const { keyStart, keyBytes } = new LocatedFields().read(fastValidator.results, 0, bytes);
  return {
    end,
    key: keyBytes < 0 ? undefined : bytes.toString('utf8', keyStart, keyStart + keyBytes),
  };
}

/** Asserts that accepted text is valid, and has the same key. @returns whether it was accepted */
function checkAccepted(keyField: string, text: string): boolean {
  const found = validateFast(builtInValidator(keyField), text);
  if (found === undefined) return false;
  const object = Buffer.from(text).toString('utf8', 0, found.end);
  const value = JSON.parse(object) as JsonObject;
  assert.equal(validate(value), undefined, object);
  const field = new KeyField(keyField);
  const key = field.keyOf(value, Buffer.from(object), 0);
  assert.equal(found.key, key, object);
  // It is counted as such without its value.
  if (key === undefined) assert.equal(field.reasonForNoKey(value), 'missing', object);
  return true;
}

const blank = jsonText.blank();
const anyName = fc.oneof(
  fc.constantFrom('msg', 'clientId', 'timestamp', 'user', 'ключ', '__proto__', 'ms', 'msgs', 'id'),
  fc.constantFrom('user', 'user.id', 'constructor', 'msg.length'),
  fc.string({ unit: 'grapheme', maxLength: 5 }),
);
const anyString = fc.string({ unit: 'grapheme' }).map((text) => JSON.stringify(text));
const mostly = (usual: fc.Arbitrary<string>, rare: fc.Arbitrary<string>) =>
  fc.oneof({ weight: 4, arbitrary: usual }, { weight: 1, arbitrary: rare });
const anyInteger = fc.oneof(
  fc.integer().map(String),
  fc.constantFrom('0', '-0', '00', '01', '-', '1.0', '1e3', '999999999999999', '1700000000000.5'),
  fc.bigInt().map(String),
);
const anyField = fc.tuple(
  anyName.map((name) => JSON.stringify(name)),
  fc.oneof(
    jsonText(),
    anyInteger,
    fc.string({ unit: 'grapheme' }).map((text) => JSON.stringify(text)),
    fc.constantFrom('null', 'true', '{}', '{"id":"nested"}', '{"id":{"x":1e0}}', '["id"]', '1e400'),
  ),
);
/** Objects with all or nearly all of the required fields. */
const nearEvent = fc
  .record({
    fields: fc.array(anyField, { maxLength: 2 }),
    msg: mostly(anyString, jsonText()),
    timestamp: mostly(fc.nat().map(String), anyInteger),
    clientId: anyString,
    dropped: fc.option(fc.nat(6), { freq: 1 }),
    blank,
  })
  .chain(({ fields, msg, timestamp, clientId, dropped, blank: space }) => {
    const own: [string, string][] = [
      ['"msg"', msg],
      ['"clientId"', clientId],
      ['"timestamp"', timestamp],
    ];
    const all = [...own, ...fields].filter((_, index) => index !== dropped);
    return fc.shuffledSubarray(all, { minLength: all.length }).map((ordered) => {
      const written = ordered.map(
        ([name, value]) => `${space}${name}${space}:${space}${value}${space}`,
      );
      return `{${written.join(',')}}`;
    });
  });

test('an event without escapes is accepted, with its key', () => {
  const plain = fc.string({ unit: fc.constantFrom(...'aé😀 {}[]:,0'), maxLength: 9 });
  fc.assert(
    fc.property(
      plain,
      plain,
      fc.nat(),
      jsonText(),
      blank,
      (msg, clientId, timestamp, extra, space) => {
        const text = `{${space}"msg":"${msg}",${space}"clientId" : "${clientId}","x":${extra},"timestamp":${timestamp}${space}}`;
        const found = validateFast(FAST_VALIDATOR, text);
        assert.equal(found?.key, clientId);
        assert.equal(found?.end, Buffer.byteLength(text));
      },
    ),
  );
});

test('accepted events are valid for JSON.parse and the schema, with the same key', () => {
  let accepted = 0;
  fc.assert(
    fc.property(fc.constantFrom(...KEY_FIELDS), nearEvent, (keyField, text) => {
      if (checkAccepted(keyField, text)) accepted++;
    }),
    { numRuns: 3_000 },
  );
  assert(accepted > 100, `${accepted} were accepted`);
});

test('a mutated event is never accepted if it is invalid', () => {
  const pieces = [
    '"',
    '\\',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '0',
    '-',
    '.',
    'e',
    '\n',
    '\0',
    '"msg":1,',
    'true',
  ];
  const change = fc.record({
    at: fc.nat(200),
    removed: fc.nat(3),
    added: fc.constantFrom('', ...pieces),
  });
  let [accepted, rejected] = [0, 0];
  fc.assert(
    fc.property(nearEvent, fc.array(change, { minLength: 1, maxLength: 2 }), (text, changes) => {
      let changed = text;
      for (const { at, removed, added } of changes) {
        const place = at % (changed.length + 1);
        changed = changed.slice(0, place) + added + changed.slice(place + removed);
      }
      if (checkAccepted('clientId', changed)) accepted++;
      else rejected++;
    }),
    { numRuns: 5_000 },
  );
  assert(accepted > 50 && rejected > 50, `${accepted} were accepted, ${rejected} were not`);
});

test('events for the slow path are not accepted', () => {
  const good = '{"msg":"m","clientId":"c","timestamp":1}';
  assert.notEqual(validateFast(FAST_VALIDATOR, good), undefined);
  for (const text of [
    good.slice(0, -1),
    good.replace('"m"', '1'),
    good.replace('1}', '1.5}'),
    good.replace('1}', '1e400}'),
    good.replace('1}', '01}'),
    good.replace('"c"', '"\\u0063"'),
    good.replace('"msg"', '"ms\\u0068"'),
    good.replace('{', '{"msg":"first",'),
    good.replace('"m"', '"a\nb"'),
    good.replace('}', ',}'),
    good.replace('"clientId":"c",', ''),
    '{}',
    '[]',
    '',
  ]) {
    assert.equal(validateFast(FAST_VALIDATOR, text), undefined, text);
  }
});

test('integers with a fraction or an exponent, and names with escapes, are accepted', () => {
  const good = '{"msg":"m","clientId":"c","timestamp":1}';
  for (const text of [
    good.replace('1}', '1.0}'),
    good.replace('1}', '1e3}'),
    good.replace('1}', '12345678901234567890}'),
    good.replace('"m"', '"\\u006d\\n\\ud83d\\ude00"'),
    good.replace('"msg"', '"ms\\u0067"'),
  ]) {
    assert.equal(validateFast(FAST_VALIDATOR, text)?.end, text.length, text);
  }
});

test('a number is accepted as key if its text is canonical', () => {
  const event = (device: string) =>
    `{"msg":"m","clientId":"c","timestamp":${device},"device":${device}}`;
  for (const keyField of ['timestamp', 'device']) {
    const fastValidator = builtInValidator(keyField);
    for (const text of ['0', '7', '-1', '1700000000000', '999999999999999']) {
      assert.equal(validateFast(fastValidator, event(text))?.key, text, keyField);
    }
    for (const text of ['-0', '1.0', '1e0', '9007199254740993']) {
      assert.equal(validateFast(fastValidator, event(text)), undefined, keyField);
    }
  }
});

test('frames, lines and arrays have the same outcome with and without the fast validator', () => {
  const event = fc.oneof({ weight: 4, arbitrary: nearEvent }, { weight: 1, arbitrary: jsonText() });
  const events = fc.array(event, { maxLength: 5 });
  const frame = fc.oneof(
    event,
    events.map((texts) => `[${texts.join(' ,')}]`),
    events.map((texts) => texts.map((text) => text.replace(/[\r\n]/g, ' ')).join('\n')),
    events.map((texts) => `[${texts.join(',')}`),
    fc.tuple(event, blank, event).map((parts) => parts.join('')),
  );
  const bounds = fc.constantFrom(
    BOUNDS,
    { maxEvents: 3, maxEventBytes: 65_536, maxDepth: 64 },
    { maxEvents: 9, maxEventBytes: 60, maxDepth: 64 },
    { maxEvents: 9, maxEventBytes: 65_536, maxDepth: 2 },
  );
  let accepted = 0;
  fc.assert(
    fc.property(frame, blank, bounds, (text, space, limits) => {
      for (const decoder of [decodeText, decodeNdjson]) {
        const without = decode(decoder, space + text + space, limits);
        const fast = decode(decoder, space + text + space, limits, FAST_VALIDATOR);
        accepted += fast.keys.length;
        const { values: _, keys: __, ...rest } = fast;
        const { values, keys: ___, ...expected } = without;
        assert.deepEqual(rest, expected);
        const keys = fast.keys.map((key) => key ?? 'no key');
        const all = values.map(({ clientId }) => clientId);
        assert(keys.every((key) => all.includes(key)));
      }
    }),
    { numRuns: 3_000 },
  );
  assert(accepted > 500, `${accepted} were accepted`);
});
