import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isObject, type JsonObject } from '../../../src/common/json-object.ts';
import { EXPLAIN_LIMITS } from '../../../src/config/schema-limits.ts';
import { createFinder } from '../../../src/worker/explain/all-violations.ts';
import { BUILT_IN_SCHEMA, loadValidator } from '../../../src/worker/intake/validator.ts';

const DRAFT = 'https://json-schema.org/draft/2020-12/schema';

/** Violations as `path: message`. */
function found(schema: JsonObject, event: JsonObject): string[] {
  const { violations } = createFinder(JSON.stringify({ $schema: DRAFT, ...schema }))(event);
  return violations.map(({ path, message }) => `${path}: ${message}`);
}

test('all violations are found, each with its place in event and schema', () => {
  const find = createFinder(JSON.stringify(BUILT_IN_SCHEMA));
  assert.deepEqual(find({ timestamp: 'now', msg: 1 }), {
    violations: [
      { path: '', message: "must have required property 'clientId'", schema: '#/required' },
      { path: '/msg', message: 'must be string', schema: '#/properties/msg/type' },
      { path: '/timestamp', message: 'must be integer', schema: '#/properties/timestamp/type' },
    ],
  });
  assert.deepEqual(find({ msg: '', clientId: '', timestamp: 1 }), { violations: [] });
});

test('a choice lists the violations of the alternative that constants select', () => {
  const schema = {
    oneOf: [{ $ref: '#/$defs/view' }, { $ref: '#/$defs/click' }],
    $defs: {
      view: { properties: { type: { const: 'view' }, page: { type: 'string' } } },
      click: {
        properties: { type: { const: 'click' }, x: { type: 'integer' }, y: { type: 'integer' } },
        required: ['target'],
      },
    },
  };
  assert.deepEqual(found(schema, { type: 'click', x: 'a', y: 'b' }), [
    ": must have required property 'target'",
    '/x: must be integer',
    '/y: must be integer',
  ]);
  assert.deepEqual(
    found(schema, { type: 'other' }),
    ['/type must be one of "view", "click"'].map((text) => `: ${text}`),
  );
});

test('other choices are one violation, with the first problem of each alternative', () => {
  const schema = {
    properties: {
      a: { anyOf: [{ type: 'string' }, { items: { type: 'integer' }, type: 'array' }] },
      b: { type: 'integer' },
    },
  };
  assert.deepEqual(found(schema, { a: ['x', 'y'], b: 'z' }), [
    '/a: must match a schema in anyOf (anyOf/0: /a must be string; anyOf/1: /a/0 must be integer)',
    '/b: must be integer',
  ]);
});

test('errors of conditions, names and items belong to their keyword', () => {
  const when = JSON.parse('{"if":{"required":["a"]},"then":{"required":["b","c"]}}') as JsonObject;
  assert.deepEqual(found(when, { a: 1 }), [
    ": must have required property 'b'",
    ": must have required property 'c'",
  ]);
  assert.deepEqual(found({ propertyNames: { maxLength: 2 } }, { abc: 1, ok: 1, abcd: 1 }), [
    ": must NOT have a property named 'abc': must NOT have more than 2 characters",
    ": must NOT have a property named 'abcd': must NOT have more than 2 characters",
  ]);
  const contains = { properties: { a: { contains: { const: 1 } }, b: { const: 2 } } };
  assert.deepEqual(found(contains, { a: [3, 4], b: 5 }), [
    '/a: must contain at least 1 valid item(s)',
    '/b: must be 2',
  ]);
});

test('violations of an event are limited in number and length', () => {
  const find = createFinder(JSON.stringify({ additionalProperties: { type: 'string' } }));
  const { violations: max } = EXPLAIN_LIMITS;
  const event = Object.fromEntries(
    Array.from({ length: max + 5 }, (_, index) => [`${'x'.repeat(5_000)}${index}`, index]),
  );
  const { violations, omitted } = find(event);
  assert.equal(violations.length, max);
  assert.equal(omitted, 5);
  for (const { path, message, schema } of violations) {
    assert(path.length <= 200 && message.length <= 200 && schema.length <= 200);
  }
});

test('an event that takes too much work has one violation', () => {
  const node = { properties: { c: { $ref: '#/$defs/node' }, leaf: false } };
  const schema = { $defs: { node: { anyOf: [node, { ...node, title: 'again' }] } } };
  let event: JsonObject = { leaf: 1 };
  for (let depth = 0; depth < 40; depth++) event = { c: event };
  assert.deepEqual(found({ ...schema, $ref: '#/$defs/node' }, event), [
    ': takes too much work to validate',
  ]);
});

test('every invalid event has violations, and no valid one', () => {
  const leaf = fc.constantFrom<JsonObject>(
    { type: 'string' },
    { type: 'integer', minimum: 1 },
    { const: 1 },
    { required: ['a'] },
    { propertyNames: { maxLength: 1 } },
    { items: { type: 'string' } },
    { contains: { type: 'string' } },
  );
  const { schema } = fc.letrec<{ schema: JsonObject }>((tie) => ({
    schema: fc.oneof(
      { maxDepth: 3 },
      leaf,
      fc.array(tie('schema'), { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })),
      fc.array(tie('schema'), { minLength: 1, maxLength: 3 }).map((oneOf) => ({ oneOf })),
      tie('schema').map((not) => ({ not })),
      fc.tuple(tie('schema'), tie('schema')).map(([a, b]) => ({ properties: { a, b } })),
      fc.tuple(tie('schema'), tie('schema')).map(([one, other]) =>
        Object.fromEntries([
          ['if', one],
          ['then', other],
        ]),
      ),
    ),
  }));
  const event = fc.object({ key: fc.constantFrom('a', 'b', 'cc'), maxDepth: 2 });
  fc.assert(
    fc.property(schema, fc.array(event, { minLength: 1, maxLength: 5 }), (inner, events) => {
      const text = JSON.stringify({ $schema: DRAFT, ...inner });
      const validate = loadValidator('schema.json', undefined, text);
      const find = createFinder(text);
      for (const raw of events) {
        const value = JSON.parse(JSON.stringify(raw)) as unknown;
        if (!isObject(value)) continue;
        const isValid = validate(value) === undefined;
        assert.equal(find(value).violations.length === 0, isValid, text);
      }
    }),
    { numRuns: 25 },
  );
});
