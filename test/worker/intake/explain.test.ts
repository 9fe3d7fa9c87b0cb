import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { JsonObject } from '../../../src/common/json-object.ts';
import { loadValidator } from '../../../src/worker/intake/validator.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-explain-'));
after(() => rmSync(folder, { recursive: true }));

/** Validation message for an event, in a draft with all keywords. */
function wrong(schema: JsonObject, event: JsonObject): string | undefined {
  const path = join(folder, 'schema.json');
  const $schema = 'https://json-schema.org/draft/2020-12/schema';
  writeFileSync(path, JSON.stringify({ $schema, ...schema }));
  return loadValidator(path)(event);
}

test('enum and const list the allowed values', () => {
  const properties = {
    colour: { enum: ['red', 'green', null, 3, { a: 1 }] },
    only: { enum: ['one'] },
    version: { const: 2 },
    shape: { const: { sides: [1, 2] } },
  };
  const of = (event: JsonObject) => wrong({ properties }, event);
  assert.equal(of({ colour: 'blue' }), '/colour must be one of "red", "green", null, 3, {"a":1}');
  assert.equal(of({ only: 'two' }), '/only must be "one"');
  assert.equal(of({ version: 1 }), '/version must be 2');
  assert.equal(of({ shape: {} }), '/shape must be {"sides":[1,2]}');
  assert.equal(of({ colour: { a: 1 }, only: 'one', version: 2 }), undefined);
});

test('a long list of values is cut and ends with the total count', () => {
  const many = Array.from({ length: 5_000 }, (_, index) => `value ${index}`);
  const text = wrong({ properties: { v: { enum: many } } }, { v: '' })!;
  assert.match(text, /^\/v must be one of "value 0", "value 1", .*, … of 5000 values$/);
  assert(text.length <= 200, text);
  const long = wrong({ properties: { v: { enum: ['x'.repeat(9_999), 'y'] } } }, { v: '' })!;
  assert.match(long, /^\/v must be one of "x{50,60}…, "y"$/);
});

test('anyOf lists the error of each branch', () => {
  const choice = { properties: { n: { anyOf: [{ type: 'string' }, { type: 'null' }] } } };
  assert.equal(
    wrong(choice, { n: 1 }),
    '/n must match a schema in anyOf (anyOf/0: /n must be string; anyOf/1: /n must be null)',
  );
  assert.equal(wrong(choice, { n: null }), undefined);
});

test('oneOf lists the error of each branch, or the two branches that match', () => {
  const size = {
    oneOf: [
      { required: ['width'] },
      { title: 'round', required: ['radius'] },
      { maxProperties: 0 },
    ],
  };
  assert.equal(
    wrong(size, { a: 1 }),
    "must match exactly one schema in oneOf (oneOf/0: must have required property 'width'; " +
      "oneOf/1 (round): must have required property 'radius'; … of 3 branches)",
  );
  assert.equal(
    wrong(size, { width: 1, radius: 1 }),
    'must match exactly one schema in oneOf, but matches oneOf/0 and oneOf/1 (round)',
  );
  assert.equal(wrong(size, { width: 1 }), undefined);
  const last = { oneOf: [{ required: ['x'] }, {}, { required: ['a'] }] };
  assert.equal(
    wrong(last, { a: 1 }),
    'must match exactly one schema in oneOf, but matches oneOf/1 and oneOf/2',
  );
});

/** Event types with a discriminator field, each in a definition. */
const KINDS: JsonObject = {
  oneOf: [{ $ref: '#/$defs/click' }, { $ref: '#/$defs/view' }, { $ref: '#/$defs/other' }],
  $defs: {
    click: {
      required: ['type', 'x', 'y'],
      properties: { type: { const: 'click' }, x: { type: 'integer' } },
    },
    view: { required: ['type', 'page'], properties: { type: { const: 'view' } } },
    other: {
      required: ['type', 'what'],
      properties: { type: { enum: ['scroll', 'zoom'] }, what: { enum: ['a', 'b'] } },
    },
  },
};

test('with a discriminator only the error of the selected branch is listed', () => {
  assert.equal(
    wrong(KINDS, { type: 'view' }),
    "must match exactly one schema in oneOf (oneOf/1 (view): must have required property 'page')",
  );
  assert.equal(
    wrong(KINDS, { type: 'click', x: 1.5, y: 1 }),
    'must match exactly one schema in oneOf (oneOf/0 (click): /x must be integer)',
  );
  assert.equal(
    wrong(KINDS, { type: 'zoom', what: 'c' }),
    "must match exactly one schema in oneOf (oneOf/0 (click): must have required property 'x'; " +
      "oneOf/1 (view): must have required property 'page'; … of 3 branches)",
  );
  assert.equal(wrong(KINDS, { type: 'view', page: 1 }), undefined);
});

test('an unknown discriminator value lists the values of all branches', () => {
  assert.equal(
    wrong(KINDS, { type: 'clic', x: 1 }),
    '/type must be one of "click", "view", "scroll", "zoom"',
  );
  assert.equal(
    wrong({ properties: { event: KINDS }, $defs: KINDS.$defs }, { event: { type: null } }),
    '/event/type must be one of "click", "view", "scroll", "zoom"',
  );
});

test('a missing discriminator is named with its values', () => {
  const values = '(one of "click", "view", "scroll", "zoom")';
  const missing = `must have required property 'type' ${values}`;
  assert.equal(wrong(KINDS, {}), missing);
  assert.equal(wrong(KINDS, { x: 1, y: 1, page: '/', what: 'a' }), missing);
  assert.equal(
    wrong({ properties: { event: KINDS }, $defs: KINDS.$defs }, { event: { x: 1 } }),
    `/event ${missing}`,
  );
  const version = { version: { const: 1 } };
  const branches = (required: readonly string[]) =>
    ['a', 'b'].map((type) => ({ required, properties: { ...version, type: { const: type } } }));
  const text = `must have required property 'type' (one of "a", "b")`;
  for (const keyword of ['oneOf', 'anyOf']) {
    const each = { [keyword]: branches(['type', 'version']) };
    assert.equal(wrong(each, {}), text, 'not the field with the same value in all branches');
    assert.equal(wrong(each, { version: 1 }), text);
    assert.match(wrong(each, { type: 'b' })!, /\/1: must have required property 'version'\)$/);
  }
  // Both match an event without the field; only the outer schema requires it.
  assert.equal(wrong({ required: ['type'], oneOf: branches([]) }, {}), text);
  assert.equal(
    wrong({ oneOf: branches([]) }, {}),
    'must match exactly one schema in oneOf, but matches oneOf/0 and oneOf/1',
  );
});

test('branches that only list values are reported as values', () => {
  const schema = {
    properties: { c: { oneOf: [{ const: 'a', title: 'A' }, { enum: ['b', 'd'] }] } },
  };
  assert.equal(wrong(schema, { c: 'e' }), '/c must be one of "a", "b", "d"');
});

test('nested branches are reported, whatever keyword fails', () => {
  const inner = { anyOf: [{ type: 'string' }, { type: 'null' }] };
  const choice = (branch: JsonObject) => wrong({ anyOf: [branch, { maxProperties: 0 }] }, EVENT)!;
  const EVENT = { list: [1, 2, 3] };
  const texts: readonly [JsonObject, string][] = [
    [{ if: { required: ['a'] }, else: { required: ['b'] } }, "must have required property 'b'"],
    [
      { properties: { list: { contains: { type: 'string' } } } },
      '/list must contain at least 1 valid item(s)',
    ],
    [
      { propertyNames: { pattern: '^b' } },
      `must NOT have a property named 'list': must match pattern "^b"`,
    ],
    [{ not: {} }, 'must NOT be valid'],
    [{ properties: { list: { items: inner } } }, '/list/0 must match a schema in anyOf (anyOf/0: '],
    [
      { properties: { list: { oneOf: [true, {}] } } },
      '/list must match exactly one schema in oneOf',
    ],
    [{ $ref: '#/anyOf/1' }, 'must NOT have more than 0 properties'],
  ];
  for (const [branch, text] of texts) {
    const whole = choice(branch);
    assert(whole.startsWith(`must match a schema in anyOf (anyOf/0: ${text}`), whole);
  }
});

test('required, additionalProperties and others name the property, in branches too', () => {
  const closed = { properties: { a: {} }, additionalProperties: false };
  assert.equal(wrong(closed, { b: 1 }), "must NOT have additional property 'b'");
  assert.equal(
    wrong({ anyOf: [closed, { required: ['c'] }] }, { b: 1 }),
    "must match a schema in anyOf (anyOf/0: must NOT have additional property 'b'; " +
      "anyOf/1: must have required property 'c')",
  );
  assert.equal(
    wrong({ properties: { o: closed } }, { o: { b: 1 } }),
    "/o must NOT have additional property 'b'",
  );
  assert.equal(
    wrong({ unevaluatedProperties: false }, { b: 1 }),
    "must NOT have unevaluated property 'b'",
  );
  assert.equal(
    wrong({ propertyNames: { maxLength: 1 } }, { bb: 1 }),
    "must NOT have a property named 'bb': must NOT have more than 1 characters",
  );
  assert.equal(wrong({ properties: { a: false } }, { a: 1 }), '/a is not allowed');
  assert.equal(
    wrong({ properties: { a: { type: ['string', 'null'] } } }, { a: 1 }),
    '/a must be string or null',
  );
});

test('long names and texts are cut', () => {
  const name = 'n'.repeat(10_000);
  const closed = { additionalProperties: false };
  const text = wrong(closed, { [name]: 1 })!;
  assert.match(text, /^must NOT have additional property 'n{59}…'$/);
  const many = { anyOf: Array.from({ length: 500 }, () => closed) };
  const choice = wrong(many, { [name]: 1 })!;
  assert(choice.length <= 200, choice);
  assert.match(
    choice,
    /^must match a schema in anyOf \(anyOf\/0: must NOT have .* of 500 branches\)$/,
  );
  const titled = { oneOf: [{ title: 't'.repeat(999), const: {} }, { type: 'null' }] };
  assert(wrong({ properties: { a: titled } }, { a: 1 })!.length <= 200);
});
