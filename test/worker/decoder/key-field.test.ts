import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '../../../src/common/json-object.ts';
import { KeyField } from '../../../src/worker/decoder/key-field.ts';
import { jsonText } from './json-text.ts';

/** Returns the key, or in angle brackets the reason for none. */
function keyIn(name: string, text: string): string {
  const field = new KeyField(name);
  // With an offset, and with another event after it.
  const bytes = Buffer.from(`[${text},{"id":"next"}]`);
  const event = JSON.parse(text) as JsonObject;
  return field.keyOf(event, bytes, 1) ?? `<${field.reasonForNoKey(event)}>`;
}

test('strings, numbers and booleans are keys, as text', () => {
  for (const [value, key] of [
    ['"a"', 'a'],
    ['""', ''],
    ['"\\u0061\\n"', 'a\n'],
    ['7', '7'],
    ['7.0', '7'],
    ['70E-1', '7'],
    ['-0', '0'],
    ['12345678901234567890', '12345678901234567890'],
    ['0.1', '0.1'],
    ['true', 'true'],
    ['false', 'false'],
    ['null', '<null>'],
    ['{}', '<object>'],
    ['{"id":1}', '<object>'],
    ['[]', '<array>'],
    ['["a"]', '<array>'],
  ]) {
    assert.equal(keyIn('id', `{"id":${value}}`), key, value);
    assert.equal(keyIn('id', ` { "x" : [ {"id":0} ] , "id" : ${value} , "y":"}" } `.trim()), key);
  }
  assert.equal(keyIn('id', '{}'), '<missing>');
  assert.equal(keyIn('id', '{"ID":1,"id ":2,"i":{"id":3}}'), '<missing>');
});

test('names with dots are paths into objects, not into arrays and strings', () => {
  for (const [text, key] of [
    ['{"user":{"id":"a"}}', 'a'],
    ['{"user":{"id":12345678901234567890}}', '12345678901234567890'],
    ['{"user":{"id":false}}', 'false'],
    ['{"user":{"id":null}}', '<null>'],
    ['{"user":{"id":{}}}', '<object>'],
    ['{"user":{}}', '<missing>'],
    ['{"user":"id"}', '<missing>'],
    ['{"user":7}', '<missing>'],
    ['{"user":null}', '<null>'],
    ['{"user":[{"id":1}]}', '<array>'],
    ['{"id":1}', '<missing>'],
    ['{"user.id":"literal"}', 'literal'],
    ['{"user":{"id":1},"user.id":2}', '2'],
    ['{"user.id":2.0,"user":{"id":1}}', '2'],
    ['{"user.id":null,"user":{"id":1}}', '<null>'],
  ]) {
    assert.equal(keyIn('user.id', text!), key, text);
  }
  assert.equal(keyIn('a.b.c.d', '{"a":{"b":{"c":{"d":1e2}}}}'), '100');
  assert.equal(keyIn('a.b.c', '{"a":{"b.c":1},"a.b":{"c":2}}'), '<missing>');
  assert.equal(keyIn('user.0', '{"user":["a"]}'), '<array>');
  assert.equal(keyIn('msg.length', '{"msg":"abc"}'), '<missing>');
});

test('inherited properties are not fields', () => {
  for (const name of ['constructor', 'constructor.name', 'toString', '__proto__', '__proto__.a']) {
    assert.equal(keyIn(name, '{"a":{}}'), '<missing>', name);
  }
  assert.equal(keyIn('__proto__', '{"__proto__":7}'), '7');
  assert.equal(keyIn('__proto__.a', '{"__proto__":{"a":7.0}}'), '7');
  assert.equal(keyIn('constructor.name', '{"constructor":{"name":"n"}}'), 'n');
});

test('of duplicate fields the last one counts, in any notation of its name', () => {
  assert.equal(keyIn('id', '{"id":1,"id":2.50}'), '2.5');
  assert.equal(
    keyIn('id', '{"id":9,"i\\u0064":12345678901234567890,"x":{"id":5}}'),
    '12345678901234567890',
  );
  assert.equal(keyIn('id', '{"\\u0069d":1,"id":2}'), '2');
  assert.equal(keyIn('user.id', '{"user":{"id":1},"user":{"id":3,"id":4}}'), '4');
  assert.equal(keyIn('user.id', '{"user":{"id":1},"us\\u0065r":{}}'), '<missing>');
  assert.equal(keyIn('ключ', '{"ключ":1,"\\u043a\\u043b\\u044e\\u0447":2}'), '2');
  assert.equal(keyIn('a"b', '{"a\\"b":3}'), '3');
});

test('the number found is that of JSON.parse in any event', () => {
  const name = fc.constantFrom('a', 'b', 'a.b', 'c');
  const number = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer());
  const members = (value: fc.Arbitrary<string>) =>
    fc
      .array(fc.tuple(name, value, jsonText.blank()), { maxLength: 5 })
      .map((all) =>
        all.map(([key, text, space]) => `${space}"${key}"${space}:${space}${text}${space}`),
      )
      .map((all) => `{${all.join(',')}}`);
  const scalar = fc.oneof(
    number.map((value) => JSON.stringify(value)),
    jsonText(),
  );
  const event = members(fc.oneof(scalar, members(scalar)));
  let found = 0;
  fc.assert(
    fc.property(event, fc.constantFrom('a', 'a.b', 'c.b'), (text, path) => {
      const value = JSON.parse(text) as Record<string, unknown>;
      const [head = '', tail] = path.split('.');
      const inner = value[head] as Record<string, unknown> | null | undefined;
      const isObject = typeof inner === 'object' && inner !== null && !Array.isArray(inner);
      const nested = isObject && tail !== undefined ? inner[tail] : undefined;
      const expected = Object.hasOwn(value, path) ? value[path] : nested;
      if (typeof expected !== 'number') return;
      found++;
      const key = keyIn(path, text);
      assert.equal(Object.is(Number(key), expected) || (key === '0' && expected === 0), true, text);
    }),
    { numRuns: 3_000 },
  );
  assert(found > 100, `${found} numbers`);
});
