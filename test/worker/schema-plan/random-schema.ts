/** Random JSON Schemas: mostly plain ones, with all keywords, in every draft. */
import type { Random } from './random.ts';

export type Schema = boolean | { [keyword: string]: unknown };

export const DRAFT_IDS = [
  'http://json-schema.org/draft-04/schema#',
  'http://json-schema.org/draft-06/schema#',
  'http://json-schema.org/draft-07/schema#',
  'https://json-schema.org/draft/2019-09/schema',
  'https://json-schema.org/draft/2020-12/schema',
];
export const NAMES = ['a', 'b', 'c', 'x-d', 'é', 'a.b', 'constructor', '__proto__', '', 'k\ud800'];
export const TEXTS = [
  ...['', 'a', 'ab', 'abc', 'b', 'A', 'é', '😀', '\u2028', '\n', ' ', '\ud800', '0', '"\\', 'aa'],
  ...['2026-11-30', '2026-02-29', '2024-02-29', '17:29:30Z', '23:59:60Z', '17:29:30'],
  ...['2026-11-30T17:29:30.123Z', '2026-11-30T17:29:30+02:00', '2026-11-31T17:29:30Z'],
  ...['https://shop.example/p/1?a=b#c', 'urn:isbn:1', '/p/1', '#c', 'http://[::1]/', 'a b'],
  ...['a.b+c@example.co.uk', 'a@b', 'shop.example', '-a.example', '127.0.0.1', '256.0.0.1'],
  ...['::1', '2001:db8::ff00:42:8329', '1::2::3', '::ffff:1.2.3.4', 'P1Y2DT3H', 'PT', 'P1W'],
  ...['123e4567-e89b-12d3-a456-426614174000', '/a/~0b', '/~', 'aGk=', 'aGk', 'x-1'],
];
const FORMATS = [
  ...['date', 'time', 'date-time', 'duration', 'uri', 'uri-reference', 'email', 'hostname'],
  ...['ipv4', 'ipv6', 'uuid', 'json-pointer', 'byte', 'int32', 'int64', 'float', 'double'],
  ...['password', 'regex', 'unknown', 'iso-date-time', 'url', 'uri-template', 'idn-email'],
];
const PATTERNS = [
  ...[
    '^a',
    'b$',
    '^[a-z]+$',
    '^.{1,3}$',
    '\\d',
    '^\\S*$',
    '^(a|bc)*$',
    '[^a]',
    '^[^\\x00-\\x7f]',
    '',
  ],
  ...['^(?=a)', '\\bab', '^\\p{L}+$', '(a)\\1', '^a?b{1,2}$', '^$|a', '\\u{1F600}', '.', '^\\W$'],
];
const NAME_PATTERNS = ['^x-', '', '.*', '^[a-c]$', '^.$', '\\.', '^\\p{L}$'];
const NUMBERS = [
  ...[0, -0, 1, 2, -1, 3, 10, 0.1, 0.3, 1.5, -2.5, 100, 1e3, 2 ** 31, 2 ** 53, 1e21, 1e-7, 1e308],
];
const TYPES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'];

/** Returns a schema for events, maybe with an `$id` that contains `number`. */
export function randomSchema(random: Random, number: number): Record<string, unknown> {
  const generator = new Generator(random);
  const schema = generator.object(3);
  if (random.chance(0.7)) schema.type = 'object';
  if (random.chance(0.1)) {
    schema[generator.draft.includes('draft-04') ? 'id' : '$id'] = `https://shop.example/${number}`;
  }
  const definitions = Object.fromEntries(
    ['one', 'two', 'three'].map((name) => [name, generator.schema(2)]),
  );
  schema.definitions = definitions;
  return { $schema: generator.draft, ...schema };
}

class Generator {
  readonly #random: Random;
  readonly draft: string;
  readonly #isOld: boolean;
  readonly #isNew: boolean;

  constructor(random: Random) {
    this.#random = random;
    this.draft = random.pick(DRAFT_IDS);
    this.#isOld = this.draft.includes('draft-04');
    this.#isNew = this.draft.includes('2020');
  }

  schema(depth: number): Schema {
    const random = this.#random;
    if (!this.#isOld && random.chance(0.05)) return random.chance(0.7);
    const schema: Record<string, unknown> = {};
    if (random.chance(0.1)) {
      schema.$ref = `#${random.pick(['', '/definitions/one', '/definitions/two', '/definitions/three'])}`;
      if (random.chance(0.7)) return schema;
    }
    const type = random.pick(TYPES);
    if (random.chance(0.85)) {
      schema.type = random.chance(0.8) ? type : [...new Set([type, random.pick(TYPES), 'null'])];
      if (random.chance(0.05)) schema.nullable = true;
      if (schema.nullable && Array.isArray(schema.type)) delete schema.nullable;
    }
    const isTyped = schema.type !== undefined && random.chance(0.9);
    for (const each of isTyped ? [schema.type].flat() : TYPES) {
      if (isTyped || random.chance(0.3)) this.#keywords(String(each), schema, depth);
    }
    this.#combinations(schema, depth);
    return schema;
  }

  object(depth: number): Record<string, unknown> {
    const schema: Record<string, unknown> = {};
    this.#keywords('object', schema, depth);
    this.#combinations(schema, depth);
    return schema;
  }

  #keywords(type: string, schema: Record<string, unknown>, depth: number): void {
    const random = this.#random;
    const add = (keyword: string, probability: number, value: () => unknown) => {
      if (random.chance(probability)) schema[keyword] = value();
    };
    if (type === 'object') this.#ofObjects(schema, depth, add);
    if (type === 'array') this.#ofArrays(depth, add);
    if (type === 'string') {
      add('minLength', 0.2, () => random.below(4));
      add('maxLength', 0.2, () => random.below(6));
      add('pattern', 0.2, () => random.pick(PATTERNS));
      add('format', 0.3, () => random.pick(FORMATS));
      add('formatMinimum', 0.01, () => '2026-01-01');
      if (schema.formatMinimum) schema.format = 'date';
      add('enum', 0.1, () => this.#values(() => random.pick(TEXTS)));
      add('const', 0.05, () => random.pick(TEXTS));
    }
    if (type === 'number' || type === 'integer') {
      for (const keyword of ['minimum', 'maximum']) add(keyword, 0.2, () => random.pick(NUMBERS));
      for (const [keyword, base] of [
        ['exclusiveMinimum', 'minimum'],
        ['exclusiveMaximum', 'maximum'],
      ] as const) {
        if (!this.#isOld) add(keyword, 0.1, () => random.pick(NUMBERS));
        else if (schema[base] !== undefined) add(keyword, 0.3, () => random.chance(0.7));
      }
      add('multipleOf', 0.1, () => random.pick([1, 2, 3, 0.1, 0.5, 0.01, 10, 1e-7]));
      add('format', 0.1, () => random.pick(FORMATS));
      add('enum', 0.1, () => this.#values(() => random.pick(NUMBERS)));
      add('const', 0.05, () => random.pick(NUMBERS));
    }
    if (type === 'boolean') add('const', 0.1, () => random.chance(0.5));
  }

  #ofObjects(schema: Record<string, unknown>, depth: number, add: Add): void {
    const random = this.#random;
    const list = () => random.some(NAMES, 0.25);
    if (depth > 0) {
      add('properties', 0.9, () => this.#named(random.some(NAMES, 0.4), depth - 1));
      add('additionalProperties', 0.3, () =>
        random.chance(0.6) ? random.chance(0.2) : this.schema(depth - 1),
      );
      add('patternProperties', 0.08, () => this.#named(random.some(NAME_PATTERNS, 0.2), depth - 1));
      add('propertyNames', 0.03, () => this.schema(1));
      add('dependencies', 0.03, () => this.#dependencies(depth));
      add('dependentRequired', 0.03, () => Object.fromEntries([[random.pick(NAMES), list()]]));
      add('dependentSchemas', 0.02, () => this.#named([random.pick(NAMES)], depth - 1));
      add('unevaluatedProperties', 0.08, () => random.chance(0.2) || this.schema(depth - 1));
      if (schema.unevaluatedProperties && random.chance(0.6)) schema.unevaluatedProperties = false;
    }
    add('required', 0.4, () => {
      const names = [...list(), ...(this.#isOld ? ['a'] : [])];
      return [...new Set(names)];
    });
    add('minProperties', 0.05, () => random.below(3));
    add('maxProperties', 0.05, () => 1 + random.below(5));
  }

  #ofArrays(depth: number, add: Add): void {
    const random = this.#random;
    if (depth > 0) {
      const list = () => this.#list(depth - 1);
      add('items', 0.6, () =>
        !this.#isNew && random.chance(0.2) ? list() : this.schema(depth - 1),
      );
      add('prefixItems', 0.1, list);
      add('additionalItems', 0.2, () => random.chance(0.3) || this.schema(depth - 1));
      add('unevaluatedItems', 0.1, () => random.chance(0.3) && this.schema(depth - 1));
      add('contains', 0.05, () => this.schema(depth - 1));
      add('minContains', 0.03, () => random.below(3));
      add('maxContains', 0.03, () => random.below(3));
    }
    add('minItems', 0.2, () => random.below(3));
    add('maxItems', 0.2, () => random.below(4));
    add('uniqueItems', 0.15, () => random.chance(0.8));
  }

  #combinations(schema: Record<string, unknown>, depth: number): void {
    if (depth === 0) return;
    const random = this.#random;
    const rare = 0.05;
    for (const keyword of ['allOf', 'anyOf', 'oneOf']) {
      if (random.chance(rare)) schema[keyword] = this.#list(depth - 1);
    }
    for (const keyword of ['not', 'if', 'then', 'else']) {
      if (random.chance(rare)) schema[keyword] = this.schema(depth - 1);
    }
    if (schema.if !== undefined && random.chance(0.7)) {
      Object.assign(schema, Object.fromEntries([['then', this.schema(depth - 1)]]));
    }
    if (random.chance(0.02))
      schema.enum = this.#values(() => random.pick([...TEXTS, ...NUMBERS, null, {}]));
  }

  #list(depth: number): Schema[] {
    return Array.from({ length: 1 + this.#random.below(3) }, () => this.schema(depth));
  }

  #named(names: readonly string[], depth: number): Record<string, Schema> {
    return Object.fromEntries(names.map((name) => [name, this.schema(depth)]));
  }

  #dependencies(depth: number): Record<string, unknown> {
    const random = this.#random;
    const needs = random.chance(0.5) ? this.schema(depth - 1) : [random.pick(NAMES)];
    return Object.fromEntries([[random.pick(NAMES), needs]]);
  }

  #values(value: () => unknown): unknown[] {
    const texts = Array.from({ length: 1 + this.#random.below(3) }, () => JSON.stringify(value()));
    return [...new Set(texts)].map((text) => JSON.parse(text) as unknown);
  }
}

type Add = (keyword: string, probability: number, value: () => unknown) => void;
