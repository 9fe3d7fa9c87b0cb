/** Schemas that no event can match: detected at startup, with their pointer. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { JsonObject } from '../../../src/common/json-object.ts';
import { compileSchema, warningsOf } from '../../../src/worker/intake/compile-schema.ts';
import { loadValidator } from '../../../src/worker/intake/validator.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-unmatchable-'));
const path = join(folder, 'schema.json');
after(() => rmSync(folder, { recursive: true }));

const DRAFTS = [
  'http://json-schema.org/draft-04/schema#',
  'http://json-schema.org/draft-06/schema#',
  'http://json-schema.org/draft-07/schema#',
  'https://json-schema.org/draft/2019-09/schema',
  'https://json-schema.org/draft/2020-12/schema',
];

/** Warning for a schema, without the consequence. */
function found(schema: JsonObject): string | undefined {
  writeFileSync(path, JSON.stringify(schema));
  const { unmatchable } = warningsOf(compileSchema(JSON.stringify(schema)));
  assert(unmatchable.length <= 1);
  const [line] = unmatchable;
  if (line === undefined) return undefined;
  const end = ': no event can match the schema';
  assert(line.endsWith(end), line);
  return line.slice(0, -end.length);
}

/** Events that each schema must reject. */
const EVENTS = [{}, { a: 1 }, { a: 'x', b: {} }, { a: null, b: [], c: 1 }];

const REJECTS: readonly [JsonObject, string][] = [
  [{ type: 'array' }, '/type allows no object'],
  [{ type: 'string', required: ['a'] }, '/type allows no object'],
  [{ type: ['array', 'null'] }, '/type allows no object'],
  [{ enum: ['a', 1, null, []] }, '/enum contains no object'],
  [{ not: {} }, '/not excludes every object'],
  [{ not: { type: 'object', title: 'x' } }, '/not excludes every object'],
  [{ not: { type: ['object', 'null'] } }, '/not excludes every object'],
  [{ minProperties: 3, maxProperties: 2 }, '/minProperties exceeds maxProperties, 2'],
  [{ maxProperties: 1, required: ['a', 'b'] }, '/required has more names than maxProperties, 1'],
  [
    { minProperties: 2, properties: { a: {} }, additionalProperties: false },
    '/minProperties exceeds the number of allowed properties, 1',
  ],
  [
    { required: ['b', 'mgs'], properties: { b: {}, msg: {} }, additionalProperties: false },
    '/required/1 requires a property that is not allowed',
  ],
  [{ allOf: [{}, { type: 'number' }] }, '/allOf/1/type allows no object'],
  [{ anyOf: [{ type: 'number' }, { enum: [1] }] }, '/anyOf allows no object in any of its schemas'],
  [
    { oneOf: [{ type: 'number' }, { allOf: [{ type: 'array' }] }] },
    '/oneOf allows no object in any of its schemas',
  ],
  [
    { allOf: [{ $ref: '#/definitions/list' }], definitions: { list: { type: 'array' } } },
    '/definitions/list/type allows no object',
  ],
];

for (const [schema, expected] of REJECTS) {
  test(`${JSON.stringify(schema)} rejects every event in each draft, and is reported`, () => {
    for (const $schema of DRAFTS) {
      assert.equal(found({ $schema, ...schema }), expected);
      const validate = loadValidator(path);
      for (const event of EVENTS) assert(validate(event), `${$schema} ${JSON.stringify(event)}`);
    }
  });
}

for (const [schema, expected] of [
  [{ const: 1 }, '/const is not an object'],
  [{ const: null }, '/const is not an object'],
  [{ not: true }, '/not excludes every object'],
  [
    { propertyNames: false, required: ['a'] },
    '/propertyNames allows no property, but some are required',
  ],
  [{ allOf: [false] }, '/allOf/0 is false'],
  [{ anyOf: [false, { type: 'null' }] }, '/anyOf allows no object in any of its schemas'],
  [
    { required: ['a'], properties: { a: false } },
    '/required/0 requires a property that is not allowed',
  ],
] as const) {
  test(`${JSON.stringify(schema)} rejects every event since draft-06, and is reported`, () => {
    for (const $schema of DRAFTS.slice(1)) {
      assert.equal(found({ $schema, ...schema }), expected);
      const validate = loadValidator(path);
      for (const event of EVENTS) assert(validate(event), `${$schema} ${JSON.stringify(event)}`);
    }
  });
}

for (const [text, expected] of [
  ['{"if":{},"then":{"type":"string"}}', '/then/type allows no object'],
  ['{"if":true,"then":false}', '/then is false'],
  ['{"if":{"type":"string"},"else":{"enum":[1]}}', '/else/enum contains no object'],
] as const) {
  test(`${text} rejects every event since draft-07, and is reported`, () => {
    const schema = JSON.parse(text) as JsonObject;
    for (const $schema of DRAFTS.slice(2)) {
      assert.equal(found({ $schema, ...schema }), expected);
      const validate = loadValidator(path);
      for (const event of EVENTS) assert(validate(event), `${$schema} ${JSON.stringify(event)}`);
    }
  });
}

test('schemas that accept an event are not reported', () => {
  const schemas: JsonObject[] = [
    {},
    { type: 'object' },
    { type: ['array', 'object'] },
    { enum: [1, { a: 1 }] },
    { const: { a: 1 } },
    { not: { type: 'array' } },
    { not: { type: 'object', required: ['z'] } },
    { not: { type: ['string', 'null'] } },
    { minProperties: 2, maxProperties: 2 },
    { required: ['a'], additionalProperties: false, patternProperties: { '^a': {} } },
    { required: ['a'], properties: { a: true }, additionalProperties: false },
    { anyOf: [{ type: 'array' }, { type: 'object' }] },
    { oneOf: [false, {}] },
    { maxProperties: 1, required: ['a'] },
    { minProperties: 1, properties: { a: {} }, additionalProperties: false },
    { propertyNames: false },
    JSON.parse('{"if":{},"then":{"type":"object"},"else":{"type":"string"}}') as JsonObject,
    JSON.parse('{"if":{"required":["z"]},"then":{"type":"string"}}') as JsonObject,
    JSON.parse('{"if":{"type":"string"},"then":{"type":"null"}}') as JsonObject,
    { $ref: '#/definitions/a', definitions: { a: { type: 'object' }, b: { type: 'array' } } },
    { properties: { a: { type: 'array' }, const: { type: 'string' }, type: false } },
    { items: { type: 'string' }, contains: false },
  ];
  for (const schema of schemas) assert.equal(found(schema), undefined, JSON.stringify(schema));
});

for (const $schema of DRAFTS) {
  test(`${$schema}: an invalid schema is reported with the pointer and the allowed values`, () => {
    const names = '"array", "boolean", "integer", "null", "number", "object", "string"';
    const draft = /draft-0\d|20\d\d-\d\d/.exec($schema)![0];
    for (const [schema, problem] of [
      [{ type: 'objekt' }, `/type must be one of ${names}; did you mean object?`],
      [{ type: 'Object' }, `/type must be one of ${names}; did you mean object?`],
      [{ type: 'any' }, `/type must be one of ${names}`],
      [{ type: 'bool' }, `/type must be one of ${names}; did you mean boolean?`],
      [{ type: 'Int' }, `/type must be one of ${names}; did you mean integer?`],
      [{ type: [] }, /^\/type must NOT have fewer than 1 items$/],
      [{ type: ['object', 'object'] }, /^\/type must NOT have duplicate items/],
      [{ type: 7 }, `/type must be one of ${names}`],
      [
        { properties: { 'a/b': { type: 'strnig' } } },
        `/properties/a~1b/type must be one of ${names}; did you mean string?`,
      ],
      [{ type: ['null', 'objct'] }, `/type/1 must be one of ${names}; did you mean object?`],
      [{ required: 'msg' }, '/required must be array'],
      [{ properties: { msg: 'string' } }, /^\/properties\/msg must be object( or boolean)?$/],
      [{ minLength: -1 }, /^\/minLength must be >= 0$/],
    ] as const) {
      writeFileSync(path, JSON.stringify({ $schema, ...schema }));
      let message = '';
      assert.throws(
        () => loadValidator(path),
        (error: Error) => {
          ({ message } = error);
          return true;
        },
      );
      const start = `FOREBAY_EVENT_SCHEMA: ${path} is not a valid schema of ${draft}: `;
      assert(message.startsWith(start), message);
      const detail = message.slice(start.length);
      if (typeof problem === 'string') assert.equal(sorted(detail), problem);
      else assert.match(detail, problem);
    }
  });
}

/** Sorts the types, which drafts list in different orders. */
function sorted(text: string): string {
  return text.replace(/one of (".*")/, (_, list: string) => {
    return `one of ${list.split(', ').sort().join(', ')}`;
  });
}
