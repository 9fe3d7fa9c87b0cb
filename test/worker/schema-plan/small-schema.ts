/** Small schemas with one or two keywords, and values at their limits: for rare combinations. */
import type { Random } from './random.ts';
import { DRAFT_IDS, type Schema } from './random-schema.ts';

const TYPES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'];
const SIMPLE: readonly Record<string, unknown>[] = [
  ...TYPES.map((type) => ({ type })),
  ...[
    {},
    { type: TYPES },
    { type: ['array', 'null'] },
    { const: 1 },
    { const: 'a' },
    { enum: [0, 'ab'] },
  ],
  ...[
    { enum: [1, 1.5, true, null] },
    { minimum: 1 },
    { maximum: 1 },
    { multipleOf: 2 },
    { const: {} },
  ],
  ...[
    { minLength: 2 },
    { maxLength: 1 },
    { pattern: '^a' },
    { format: 'date' },
    { format: 'int32' },
  ],
  ...[{ required: ['a'] }, { required: ['a', 'b'] }, { minProperties: 2 }, { maxProperties: 1 }],
  ...[{ properties: { a: { type: 'integer' } } }, { properties: { b: { const: 1 } } }],
  ...[
    { properties: { a: {}, b: {} }, additionalProperties: false },
    { minItems: 2 },
    { maxItems: 1 },
  ],
  ...[{ items: { type: 'integer' } }, { uniqueItems: true }, { contains: { const: 1 } }],
  ...[{ patternProperties: { '^k': { type: 'string' } } }, { propertyNames: { maxLength: 1 } }],
  ...[{ $ref: '#/definitions/d' }, { additionalProperties: { type: 'string' } }, { not: {} }],
];
const VALUES = [
  ...[
    '0',
    '1',
    '2',
    '-0',
    '1.0',
    '1.5',
    '1e400',
    '"a"',
    '"ab"',
    '""',
    '"2026-11-30"',
    'true',
    'false',
  ],
  ...['null', '[]', '[1]', '[1,1]', '[1,1.0]', '["a",1]', '[[],[]]', '[1,2,"a"]', '[null,null,1]'],
  ...[
    '{}',
    '{"a":1}',
    '{"a":"a"}',
    '{"b":1}',
    '{"a":1,"b":1}',
    '{"a":1,"b":2,"c":3}',
    '{"kk":"a"}',
  ],
  ...['{"kk":1}', '{"k\\ud800":1}', '{"__proto__":1}', '{"a":1,"kk":1}', '{"b":"a","a":1.5}'],
];

/** Returns a schema of events whose property `v` has a small schema. */
export function smallSchema(random: Random): Record<string, unknown> {
  const $schema = random.pick(DRAFT_IDS);
  const isNew = $schema.includes('2020');
  const simple = (): Schema => {
    const schema = { ...random.pick(SIMPLE) };
    return random.chance(0.2) ? { ...random.pick(SIMPLE), ...schema } : schema;
  };
  const list = () => Array.from({ length: 1 + random.below(3) }, simple);
  const named = (value: () => unknown) =>
    Object.fromEntries(
      random.some(['a', 'b', 'c', 'k\ud800', '__proto__'], 0.4).map((name) => [name, value()]),
    );
  const extended: (() => Record<string, unknown>)[] = [
    simple as () => Record<string, unknown>,
    ...['allOf', 'anyOf', 'oneOf'].map((keyword) => () => ({ [keyword]: list() })),
    () => ({ not: simple() }),
    () =>
      Object.fromEntries([
        ['if', simple()],
        ['then', simple()],
        ...random.some([['else', simple()]], 0.5),
      ]),
    () =>
      Object.fromEntries([
        ['if', simple()],
        ['else', simple()],
      ]),
    () => ({ [isNew ? 'prefixItems' : 'items']: list() }),
    () => ({ unevaluatedItems: random.chance(0.5) ? false : simple() }),
    () => ({ unevaluatedProperties: random.chance(0.5) ? false : simple() }),
    () =>
      isNew
        ? { prefixItems: list(), items: simple() }
        : { items: list(), additionalItems: simple() },
    () => ({
      dependencies: named(() => (random.chance(0.5) ? random.some(['a', 'b'], 0.6) : simple())),
    }),
    () => ({ dependentRequired: named(() => random.some(['a', 'b', 'kk'], 0.6)) }),
    () => ({ dependentSchemas: named(simple) }),
    () => ({ properties: named(simple), additionalProperties: simple() }),
    () => ({ patternProperties: { '^k': simple(), [random.pick(['', '^.$'])]: simple() } }),
    () => ({ propertyNames: simple() }),
    () => ({ required: random.some(['a', 'b', 'kk', '__proto__'], 0.4) }),
  ];
  const value = () => ({ ...random.pick(extended)(), ...random.pick(extended)() });
  const $defs = { d: random.chance(0.5) ? value() : { properties: { a: value() } } };
  return {
    $schema,
    type: 'object',
    properties: { v: value(), w: random.pick(extended)() },
    definitions: $defs,
  };
}

/** Returns the text of an event for such a schema. */
export function smallEvent(random: Random): string {
  const value = () =>
    random.chance(0.15) ? `[${random.pick(VALUES)},${random.pick(VALUES)}]` : random.pick(VALUES);
  const nested = () => (random.chance(0.15) ? `{"a":${value()},"b":${value()}}` : value());
  return random.chance(0.5) ? `{"v":${nested()}}` : `{"w":${nested()},"v":${nested()}}`;
}
