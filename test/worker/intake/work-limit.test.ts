/** Hostile events and legal but expensive schemas: validation ends. Other results are unchanged. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { JsonObject } from '../../../src/common/json-object.ts';
import { LIMITS } from '../../../src/config/limits.ts';
import { SCHEMA_LIMITS } from '../../../src/config/schema-limits.ts';
import { compileSchema } from '../../../src/worker/intake/compile-schema.ts';
import { loadValidator } from '../../../src/worker/intake/validator.ts';

const DRAFT = 'https://json-schema.org/draft/2020-12/schema';
const EXCEEDED = 'takes too much work to validate';

function validator(schema: JsonObject) {
  const text = JSON.stringify({ $schema: DRAFT, ...schema });
  return loadValidator('schema.json', undefined, text);
}

/** Result for an event, and the steps it took. */
function stepsOf(schema: JsonObject, event: JsonObject): [isValid: boolean, steps: number] {
  const compiled = compileSchema(JSON.stringify({ $schema: DRAFT, ...schema }));
  compiled.work.begin();
  const isValid = compiled.validate(event) as boolean;
  return [isValid, SCHEMA_LIMITS.steps - compiled.work.left];
}

/** An object nested `depth` times as the property c. */
function nested(depth: number): JsonObject {
  return depth === 0 ? { leaf: true } : { c: nested(depth - 1) };
}

test('alternatives that recur on the same part take bounded work', () => {
  const node = { properties: { c: { $ref: '#/$defs/node' }, leaf: false } };
  const schema = { $defs: { node: { anyOf: [node, { ...node, title: 'again' }] } } };
  const validate = validator({ ...schema, $ref: '#/$defs/node' });
  assert.match(validate(nested(3)) ?? '', /must match a schema in anyOf/);
  assert.equal(validate(nested(40)), EXCEEDED);
  assert.match(validate(nested(3)) ?? '', /must match a schema in anyOf/, 'each event has its own');
});

test('many alternatives for many items take bounded work', () => {
  const branches = Array.from({ length: 500 }, (_, index) => ({ const: `x${index}` }));
  const validate = validator({ properties: { list: { items: { anyOf: branches } } } });
  assert.equal(validate({ list: ['x499', 'x0'] }), undefined);
  assert.equal(validate({ list: Array(20_000).fill('x499') }), EXCEEDED);
});

test('an array of a whole frame takes a small part of the work', () => {
  const items = { type: 'integer', minimum: 0, maximum: 9 };
  const [isValid, steps] = stepsOf(
    { properties: { list: { items } } },
    { list: Array(LIMITS.frameBytes / 2).fill(1) },
  );
  assert(isValid);
  assert(steps < SCHEMA_LIMITS.steps / 2, `${steps} steps`);
});

test('keywords that read a whole text charge its length', () => {
  const text = 'x'.repeat(64_000);
  for (const keyword of [
    { maxLength: 1e6 },
    { minLength: 1 },
    { pattern: '^x' },
    { format: 'uri' },
  ]) {
    const [, steps] = stepsOf({ properties: { a: keyword } }, { a: text });
    assert(steps > text.length / 20, `${JSON.stringify(keyword)}: ${steps}`);
  }
  const [, steps] = stepsOf({ properties: { a: { format: 'url' } } }, { a: text.slice(0, 8_000) });
  assert(steps > 10_000, `url: ${steps}`);
});

test('the code that counts work does not change texts of the schema', () => {
  const name = 'for(;;){ errors++; function validate0(data, {a}={}){ }';
  const validate = validator({ properties: { [name]: { const: `${name}"}` } } });
  assert.equal(validate({ [name]: `${name}"}` }), undefined);
  assert.match(validate({ [name]: name }) ?? '', /must be "for\(;;\)\{ errors\+\+;/);
});

test('uniqueItems decides as ajv does, in time proportional to the items', () => {
  const values = [1, 1, '1', true, 'true', null, 0, -0, {}, [], { a: 1, b: [2] }, { b: [2], a: 1 }];
  const expected = new Ajv2020().compile({ properties: { list: { uniqueItems: true } } });
  const { validate, work } = compileSchema(
    JSON.stringify({ $schema: DRAFT, properties: { list: { uniqueItems: true } } }),
  );
  let seed = 1;
  const random = (max: number) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % max;
  };
  for (let run = 0; run < 500; run++) {
    const distinct = Array.from({ length: random(30) }, (_, index) => `item ${index}`);
    const list = [...distinct, ...Array.from({ length: random(5) }, () => values[random(12)])];
    work.begin();
    assert.equal(validate({ list }), expected({ list }), JSON.stringify(list));
    const message = validate.errors?.[0]?.message;
    assert.equal(message, expected.errors?.[0]?.message, JSON.stringify(list));
  }
  const objects = Array.from({ length: 20_000 }, (_, index) => ({ index }));
  work.begin();
  assert(validate({ list: objects }));
});

test('a long enum compares one value with all entries at once', () => {
  const list = Array.from({ length: 5_000 }, (_, index) => (index % 2 ? index : `x${index}`));
  const schema = { properties: { all: { items: { enum: list } } } };
  assert.equal(validator(schema)({ all: [...list, ...list] }), undefined);
  assert.match(validator(schema)({ all: ['x1'] }) ?? '', /^\/all\/0 must be one of "x0", 1, /);
});
