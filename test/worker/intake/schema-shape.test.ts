/** Schemas that would take too much time or memory to compile, or to apply to any event. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../../src/common/json-object.ts';
import { SCHEMA_LIMITS } from '../../../src/config/schema-limits.ts';
import { compileSchema } from '../../../src/worker/intake/compile-schema.ts';

const compile = (schema: JsonObject) => compileSchema(JSON.stringify(schema));

/** `levels` definitions that each apply the next one `times`. */
function tree(levels: number, times: number): JsonObject {
  const definitions: Record<string, unknown> = { [`d${levels}`]: { type: 'object' } };
  for (let level = 0; level < levels; level++) {
    const next = { $ref: `#/definitions/d${level + 1}` };
    definitions[`d${level}`] = { allOf: Array(times).fill(next) };
  }
  return { definitions, allOf: [{ $ref: '#/definitions/d0' }] };
}

/** A schema of objects within objects. */
function deep(levels: number): JsonObject {
  return levels === 0 ? {} : { properties: { a: deep(levels - 1) } };
}

test('references that apply a schema to the same value without end are rejected', () => {
  const rows: [JsonObject, RegExp][] = [
    [{ $ref: '#' }, /^refers to itself without end: the root applies to a value again before/],
    [{ anyOf: [{ type: 'string' }, { $ref: '#' }] }, /^refers to itself without end: the root/],
    [
      { properties: { a: { not: { if: { $ref: '#/properties/a' } } } } },
      /^refers to itself without end: \/properties\/a applies/,
    ],
    [
      {
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        $defs: { a: { $anchor: 'a', allOf: [{ $ref: '#a' }] } },
      },
      /^refers to itself without end: \/\$defs\/a applies/,
    ],
  ];
  for (const [schema, message] of rows) assert.throws(() => compile(schema), { message });
});

test('references that recur on a part of the value are usable', () => {
  const tree = { properties: { children: { items: { $ref: '#' } }, parent: { $ref: '#' } } };
  const { validate } = compile(tree);
  assert.equal(validate({ children: [{ children: [] }], parent: { parent: {} } }), true);
});

test('a small file that applies many schemas to one value is rejected', () => {
  assert.throws(() => compile(tree(30, 2)), {
    message: /^is too expensive: \/definitions\/d22 applies 1021 schemas to one value, the maxi/,
  });
  compile(tree(7, 2));
});

test('size, depth and number of schemas are limited', () => {
  const { bytes, depth, subschemas } = SCHEMA_LIMITS;
  assert.throws(() => compile({ description: 'x'.repeat(bytes) }), {
    message: `is longer than ${bytes} bytes`,
  });
  assert.throws(() => compile(deep(depth)), {
    message: new RegExp(`^is nested deeper than ${depth} levels: .*/properties/a`),
  });
  assert.throws(() => compileSchema(`{"default":${'['.repeat(100_000)}${']'.repeat(100_000)}}`), {
    message: /^is nested deeper than/,
  });
  const items = Array(subschemas).fill({});
  assert.throws(() => compile({ items }), {
    message: `has more than ${subschemas} schemas: /items/${subschemas - 1} exceeds the limit`,
  });
});

test('code that grows by repeated references is limited', () => {
  const leaf = { enum: Array.from({ length: 150 }, (_, index) => `${'x'.repeat(1_000)}${index}`) };
  const properties = Object.fromEntries(
    Array.from({ length: 100 }, (_, index) => [`p${index}`, { $ref: '#/definitions/leaf' }]),
  );
  assert.throws(() => compile({ definitions: { leaf }, properties }), {
    message: `cannot be compiled: its code is longer than ${SCHEMA_LIMITS.codeChars} characters`,
  });
});
