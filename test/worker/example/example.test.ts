/** Generated examples for schemas of all drafts, checked by the active validator. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { JsonObject } from '../../../src/common/json-object.ts';
import { type Example, exampleOf } from '../../../src/worker/example/example.ts';
import { loadValidator } from '../../../src/worker/intake/validator.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-example-'));
after(() => rmSync(folder, { recursive: true }));

const DRAFTS = {
  'draft-04': 'http://json-schema.org/draft-04/schema#',
  'draft-06': 'http://json-schema.org/draft-06/schema#',
  'draft-07': 'http://json-schema.org/draft-07/schema#',
  '2019-09': 'https://json-schema.org/draft/2019-09/schema',
  '2020-12': 'https://json-schema.org/draft/2020-12/schema',
} as const;
type Draft = keyof typeof DRAFTS;
const ALL = Object.keys(DRAFTS) as Draft[];
const SINCE_06 = ALL.slice(1);
const NEWEST = ALL.slice(3);

async function example(schema: JsonObject, options: Partial<Parameters<typeof exampleOf>[0]> = {}) {
  const path = join(folder, 'schema.json');
  writeFileSync(path, JSON.stringify(schema));
  const validate = loadValidator(path);
  const made = await exampleOf({
    schema,
    validate,
    keyFields: ['clientId'],
    idField: 'id',
    maxEventBytes: 65_536,
    ...options,
  });
  if (made.problem === undefined) assert.equal(validate(made.event), undefined);
  return made;
}

const kinds = ({ vary }: Example) =>
  Object.fromEntries(vary.map(({ path, as }) => [path.join('.'), as]));

type Field = readonly [drafts: readonly Draft[], schema: JsonObject];

/** Difficult fields: the drafts with the keywords, and the schema. */
const FIELDS: readonly Field[] = [
  [ALL, { type: 'string', minLength: 12, maxLength: 14 }],
  [ALL, { type: 'string', maxLength: 2 }],
  [ALL, { type: 'string', pattern: '^[A-Z]{3}-\\d{4}$' }],
  [ALL, { type: 'string', pattern: '^(?:GET|POST) /[^\\s/]+(/\\w*)*$', minLength: 30 }],
  [ALL, { type: 'string', pattern: '^\\p{Lu}\\p{Ll}+, [^a-zA-Z0-9_]{2,}$' }],
  [ALL, { type: 'string', pattern: '^#([0-9a-fA-F]{6}|[0-9a-fA-F]{3})$', maxLength: 4 }],
  [ALL, { type: 'string', pattern: '^0x[^\\x00-\\x7f]$' }],
  ...['date-time', 'date', 'time', 'email', 'hostname', 'ipv4', 'ipv6', 'uri', 'uuid'].map(
    (format): Field => [ALL, { type: 'string', format }],
  ),
  [ALL, { enum: ['click', 'view'] }],
  [ALL, { type: ['null', 'integer'], minimum: 5 }],
  [ALL, { type: 'integer', minimum: 3, maximum: 17, multipleOf: 7 }],
  [ALL, { type: 'number', multipleOf: 0.25, minimum: 0.3 }],
  [ALL, { type: 'integer', maximum: -20 }],
  [['draft-04'], { type: 'integer', minimum: 0, exclusiveMinimum: true }],
  [['draft-04'], { type: 'number', maximum: 0.5, minimum: 0.4, exclusiveMaximum: true }],
  [SINCE_06, { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 0.001 }],
  [SINCE_06, { const: { a: [1, null] } }],
  [SINCE_06, { type: 'array', contains: { const: 7 }, items: { type: 'integer' } }],
  [SINCE_06, { type: 'object', propertyNames: { pattern: '^[a-z]{5}$' }, minProperties: 1 }],
  [ALL, { type: 'array', items: { type: 'integer', minimum: 9 }, minItems: 3, uniqueItems: true }],
  [ALL, { type: 'array', items: { enum: ['a', 'b', 'c'] }, minItems: 3, uniqueItems: true }],
  [ALL, { type: 'array', items: { type: 'string' }, minItems: 4, uniqueItems: true }],
  [ALL, { type: 'object', minProperties: 2, additionalProperties: { type: 'boolean' } }],
  [
    ALL,
    {
      type: 'object',
      additionalProperties: false,
      patternProperties: { '^x-\\d+$': { type: 'integer' } },
      minProperties: 2,
    },
  ],
  [ALL, { type: 'object', properties: { a: {}, b: {} }, maxProperties: 1, required: ['b'] }],
  [ALL, { allOf: [{ minimum: 5 }, { maximum: 6 }, { type: 'integer' }] }],
  [ALL, { oneOf: [{ type: 'string', minLength: 3 }, { type: 'integer' }] }],
  [ALL, { type: 'integer', not: { minimum: 0 } }],
  [ALL, { not: { type: 'string' } }],
  [ALL, { anyOf: [{ not: {} }, { type: 'string' }] }],
  [ALL, { type: 'object', required: ['__proto__', 'constructor'] }],
  [
    ALL,
    {
      type: 'object',
      properties: { card: { type: 'string' } },
      dependencies: { card: ['owner'], owner: { required: ['country'] } },
    },
  ],
  [
    ['draft-07', ...NEWEST],
    {
      type: 'object',
      properties: { kind: { enum: ['a', 'b'] } },
      required: ['kind'],
      if: { properties: { kind: { const: 'a' } } },
      // biome-ignore lint/suspicious/noThenProperty: a keyword
      then: { required: ['onlyA'] },
      else: { required: ['onlyB'] },
    },
  ],
  [NEWEST, { dependentRequired: { a: ['b'] }, properties: { a: {} }, type: 'object' }],
  [NEWEST, { type: 'array', contains: { type: 'integer' }, minContains: 3 }],
  [
    NEWEST,
    {
      type: 'object',
      allOf: [{ properties: { a: { type: 'string' } } }],
      unevaluatedProperties: false,
    },
  ],
  [['2020-12'], { type: 'array', prefixItems: [{ const: 1 }, { type: 'string' }], items: false }],
  [
    ['draft-04', 'draft-06', 'draft-07', '2019-09'],
    { type: 'array', items: [{ type: 'boolean' }, { type: 'null' }], additionalItems: false },
  ],
];

test('each kind of field gets an accepted value, in the oldest and the newest draft that has it', async () => {
  let seen = 0;
  for (const [drafts, field] of FIELDS) {
    for (const draft of new Set([drafts[0]!, drafts.at(-1)!])) {
      const schema = {
        $schema: DRAFTS[draft],
        type: 'object',
        required: ['field'],
        properties: { field },
      };
      const { event, problem } = await example(schema);
      const detail = `${draft} ${JSON.stringify(field)}: ${JSON.stringify(event)}`;
      assert.equal(problem, undefined, detail);
      assert(Object.hasOwn(event, 'field'), detail);
      seen++;
    }
  }
  assert(seen > 70, `${seen} were generated`);
});

test('references within the schema are followed: pointers, ids, anchors, cycles', async () => {
  const node = {
    type: 'object',
    required: ['name'],
    properties: { name: { type: 'string', maxLength: 3 }, next: { $ref: '#/definitions/node' } },
    additionalProperties: false,
  };
  const circle = { $schema: DRAFTS['draft-07'], $ref: '#/definitions/node', definitions: { node } };
  assert.equal((await example(circle)).problem, undefined);
  const named = {
    $schema: DRAFTS['2020-12'],
    $id: 'https://example.com/schemas/event',
    type: 'object',
    required: ['a', 'b', 'c'],
    properties: {
      a: { $ref: 'kinds' },
      b: { $ref: 'kinds#short' },
      c: { $ref: '#/$defs/a~1b%20c' },
    },
    $defs: {
      kinds: {
        $id: 'kinds',
        enum: ['k'],
        $defs: { short: { $anchor: 'short', type: 'string', maxLength: 1 } },
      },
      'a/b c': { type: 'integer', minimum: 99 },
    },
  };
  const { event, problem } = await example(named);
  assert.equal(problem, undefined);
  assert.deepEqual([event.a, event.c], ['k', 99]);
});

test('examples and defaults of the schema have priority, those of the whole schema too', async () => {
  const whole = { type: 'object', examples: [{ action: 'login' }], properties: { other: {} } };
  assert.deepEqual((await example(whole)).event, { action: 'login' });
  const properties = {
    action: { type: 'string', examples: ['login', 'logout'] },
    level: { type: 'integer', default: 3 },
  };
  assert.deepEqual((await example({ type: 'object', properties })).event, {
    action: 'login',
    level: 3,
  });
});

test('an example in the schema that does not match it is not used', async () => {
  const schema = {
    type: 'object',
    required: ['code'],
    properties: { code: { type: 'string', pattern: '^\\d+$', examples: ['abc'] } },
    examples: [{ wrong: true }],
  };
  const { event, problem } = await example(schema);
  assert.equal(problem, undefined);
  assert.match(String(event.code), /^\d+$/);
});

test('without an accepted example the first attempt is returned with its problem', async () => {
  const { event, problem, vary } = await example({
    type: 'object',
    required: ['a'],
    properties: { a: { type: 'string', pattern: '^(?!)$' } },
  });
  assert.deepEqual(Object.keys(event), ['a']);
  assert.equal(problem, '/a must match pattern "^(?!)$"');
  assert.deepEqual(vary, []);
  const deep = {
    type: 'object',
    required: ['a'],
    properties: { a: { $ref: '#' } },
  };
  assert.equal((await example(deep)).problem, 'no example could be generated');
});

test('an example over the maximum event length is reported as rejected', async () => {
  const properties = { a: { type: 'string', minLength: 2_000 } };
  const schema = { type: 'object', required: ['a'], properties };
  assert.match(
    (await example(schema, { maxEventBytes: 1_024 })).problem ?? '',
    /bytes exceed the limit of/,
  );
});

test('id, key, time and text vary if the schema accepts it, under the configured names', async () => {
  const builtIn = {
    type: 'object',
    required: ['msg', 'clientId', 'timestamp'],
    properties: {
      msg: { type: 'string' },
      clientId: { type: 'string' },
      timestamp: { type: 'integer' },
    },
  };
  const all = { id: 'id', clientId: 'name', timestamp: 'ms', msg: 'text' };
  assert.deepEqual(kinds(await example(builtIn)), all);
  const renamed = await example(builtIn, { keyFields: ['tenant'], idField: 'eventId' });
  assert.deepEqual(kinds(renamed), { eventId: 'id', tenant: 'name', timestamp: 'ms', msg: 'text' });
  const nested = await example(builtIn, { keyFields: ['user.id'] });
  assert.equal(kinds(nested)['user.id'], 'name');
  assert.deepEqual(nested.vary[1]?.path, ['user', 'id']);
  const dotted = { ...builtIn, required: ['user.id'], properties: { 'user.id': {} } };
  assert.deepEqual((await example(dotted, { keyFields: ['user.id'] })).vary[1]?.path, ['user.id']);
  const inner = await example(builtIn, { idField: 'meta.id' });
  assert.deepEqual(inner.vary[0], { path: ['meta', 'id'], as: 'id' });
  const same = await example(builtIn, { keyFields: ['id'] });
  assert.deepEqual(kinds(same), { id: 'id', timestamp: 'ms', msg: 'text' });
});

test('fields vary only as far as the schema accepts', async () => {
  const closed = { type: 'object', additionalProperties: false };
  assert.deepEqual(kinds(await example({ ...closed, properties: { a: { const: 1 } } })), {});
  const typed = {
    ...closed,
    properties: {
      id: { type: 'string', format: 'uuid' },
      clientId: { enum: ['web', 'app'] },
      timestamp: { type: 'string', format: 'date-time' },
      msg: { type: 'string', maxLength: 7 },
    },
  };
  assert.deepEqual(kinds(await example(typed)), { id: 'uuid', timestamp: 'time' });
  const numbered = { ...closed, properties: { id: { type: 'integer', minimum: 1 } } };
  assert.deepEqual(kinds(await example(numbered)), { id: 'number' });
  const few = { ...closed, properties: { id: { type: 'integer', maximum: 100 } } };
  assert.deepEqual(kinds(await example(few)), {});
});
