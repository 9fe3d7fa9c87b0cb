import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slowPartsText } from '../../../src/worker/schema-plan/plan-schema.ts';
import { PlannedSchema } from './differential.ts';

const DRAFT_2020 = 'https://json-schema.org/draft/2020-12/schema';

/** Returns the plan of an event with the property `a`, which is required. */
function planned(a: unknown, more: object = {}): PlannedSchema {
  return new PlannedSchema({ type: 'object', properties: { a }, required: ['a'], ...more });
}

test('parts of a schema that leave events undecided are named, with the reason', () => {
  const slow = new Map<unknown, string>([
    [{ pattern: '^(?!x)' }, '/properties/a/pattern uses lookahead'],
    [{ format: 'regex' }, '/properties/a/format "regex" is not decided'],
    [{ type: 'array', contains: {} }, '/properties/a/contains is not decided'],
    [{ enum: [{}, 1] }, '/properties/a/enum lists objects or arrays'],
    [
      { oneOf: [{ required: ['x'] }, { required: ['y'] }], type: 'object' },
      '/properties/a/oneOf has several schemas for the type',
    ],
    [
      { allOf: Array.from({ length: 17 }, (_, index) => ({ pattern: `x{${index + 1}}$` })) },
      '/properties/a has more than 16 patterns and formats',
    ],
    [
      { type: 'number', multipleOf: 2, allOf: [{ multipleOf: 3 }] },
      '/properties/a/allOf/0/multipleOf is not the only one',
    ],
  ]);
  for (const [schema, line] of slow) {
    assert(slowPartsText(planned(schema).plan.slowParts)?.includes(line), line);
  }
});

test('a plain schema has no slow parts', () => {
  const { plan } = planned({ type: ['string', 'null'], maxLength: 3, description: 'x', foo: 1 });
  assert.equal(slowPartsText(plan.slowParts), undefined);
});

test('without a value for a required property, no event is decided at all', () => {
  const { plan } = planned({ type: 'string', pattern: '\\bx' });
  assert.equal(plan.event, undefined);
  assert.match(
    slowPartsText(plan.slowParts)!,
    /^the schema leaves all events undecided; \/properties\/a\/pattern uses word boundaries$/,
  );
  const recursive = planned({ $ref: '#' });
  assert.equal(recursive.plan.event, undefined, 'every event would contain another one');
});

test('the line about slow parts is bounded', () => {
  const part = { pointer: `/${'x'.repeat(500)}`, why: 'is not decided' };
  const text = slowPartsText(Array.from({ length: 1_000 }, () => part))!;
  assert(text.length <= 2_000);
  assert.match(
    slowPartsText(Array.from({ length: 12 }, () => ({ ...part, pointer: '/x' })))!,
    /; and 2 more$/,
  );
});

test('references lead where the compiler resolves them', () => {
  const schema = {
    $schema: DRAFT_2020,
    $id: 'https://shop.example/event',
    type: 'object',
    properties: { a: { $ref: 'part' }, b: { $ref: '#named' }, c: { $ref: 'part#/$defs/inner' } },
    $defs: {
      part: {
        $id: 'part',
        type: 'object',
        properties: { n: { $ref: '#/$defs/inner' } },
        $defs: { inner: { type: 'integer' } },
      },
      named: { $anchor: 'named', type: 'string' },
      inner: { type: 'boolean' },
    },
  };
  const plan = new PlannedSchema(schema);
  assert.deepEqual(plan.plan.slowParts, []);
  assert.equal(plan.decide('{"a":{"n":1},"b":"x","c":2}').isDecided, true);
  for (const text of ['{"a":{"n":true}}', '{"b":1}', '{"c":true}']) {
    assert.equal(plan.decide(text).isDecided, false, text);
  }
});

test('a table of too many bytes is not built', () => {
  const values = Array.from({ length: 60_000 }, (_, index) => `${index}`);
  const { plan } = planned({ enum: values });
  assert.equal(plan.event, undefined);
  assert.match(slowPartsText(plan.slowParts)!, /^the schema needs a table of \d+ bytes/);
});

test('a number beyond the finite doubles is undecided where a type is required', () => {
  const types = ['object', 'array', 'string', 'number', 'boolean', 'null'];
  for (const schema of [
    { type: types },
    { if: { type: 'boolean' }, else: { type: types } },
    { anyOf: [{ type: types }] },
  ]) {
    assert.equal(planned(schema).decide('{"a":1e400}').isDecided, false);
    assert.equal(planned(schema).decide('{"a":1}').isDecided, true);
  }
});

test('a condition that is undecided applies both of its consequences', () => {
  const consequences = [
    ['then', { minLength: 3 }],
    ['else', { maxLength: 4 }],
  ];
  const { decide } = bound(
    planned({ if: { not: { minLength: 2 } }, ...Object.fromEntries(consequences) }),
  );
  assert.deepEqual(['x', 'xyz', 'abcde'].map(decide), [false, true, false]);
});

test('a name without UTF-8 is undecided where the schema names it', () => {
  const schema = planned({ dependencies: { 'k\ud800': ['b'] } });
  assert.equal(schema.decide('{"a":{"k\\ud800":1}}').isDecided, false);
  assert.equal(schema.decide('{"a":{"k":1}}').isDecided, true);
});

test('objects for which the code of ajv throws are undecided', () => {
  const a = {
    patternProperties: { '': { minLength: 2 } },
    dependencies: { b: { properties: { z: {} } } },
  };
  const schema = planned(a, { $schema: DRAFT_2020 });
  assert.throws(() => schema.compiled.validate({ a: { y: 1 } }), TypeError);
  assert.equal(schema.decide('{"a":{"y":1}}').isDecided, false);
});

function bound(schema: PlannedSchema): { decide(text: string): boolean } {
  return { decide: (text) => schema.decide(JSON.stringify({ a: text })).isDecided };
}

/** Returns the properties of an object of 300 objects like itself. */
function alike(schemaOf: (index: number) => object): Record<string, unknown> {
  const names = Array.from({ length: 300 }, (_, index) => [`p${index}`, schemaOf(index)]);
  return Object.fromEntries(names) as Record<string, unknown>;
}

test('references to the same schema share its plan', () => {
  const properties = alike(() => ({ $ref: '#/definitions/self', description: 'x' }));
  const definitions = { self: { $ref: '#' } };
  const schema = { type: 'object', properties, additionalProperties: false, definitions };
  const planned = new PlannedSchema(schema);
  assert.equal(slowPartsText(planned.plan.slowParts), undefined);
  assert.equal(planned.decide('{"p7":{"p8":{}},"p9":{}}').isDecided, true);
  assert.equal(planned.decide('{"p7":{"p8":{"q":1}}}').isDecided, false);
});

test('a schema that needs too many plans is given up early', () => {
  const properties = alike((minProperties) => ({ $ref: '#', minProperties }));
  const { plan } = new PlannedSchema({ type: 'object', properties });
  assert.equal(plan.event, undefined);
  assert.equal(
    slowPartsText(plan.slowParts),
    'the schema needs more than 20000 plans, or 30000 uses of them',
  );
});
