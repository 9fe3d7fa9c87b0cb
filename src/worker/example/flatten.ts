/** Flattens a schema and the schemas that it combines into one set of keywords. */
import { isObject, type JsonObject } from '../../common/json-object.ts';
import type { Choices } from './choices.ts';
import { isSchema, type References, type Schema } from './references.ts';

/** Keywords that combine schemas, which are resolved in the result. */
const COMBINING = new Set([
  ...['$ref', '$dynamicRef', '$recursiveRef', '$id', 'id', '$schema', '$defs', 'definitions'],
  ...['allOf', 'anyOf', 'oneOf', 'if', 'then', 'else'],
]);
/** Maximum depth, since references can be circular. */
const DEPTH_MAX = 32;

/** Returns the keywords of one way to satisfy `schema`; undefined = unsatisfiable. */
export function flatten(
  schema: Schema,
  references: References,
  choices: Choices,
  depth = 0,
): JsonObject | undefined {
  if (schema === false || depth > DEPTH_MAX) return undefined;
  if (schema === true) return {};
  let flat: JsonObject = Object.fromEntries(
    Object.entries(schema).filter(([keyword]) => !COMBINING.has(keyword)),
  );
  for (const part of partsOf(schema, references, choices)) {
    const inner = flatten(part, references, choices, depth + 1);
    if (inner === undefined) return undefined;
    flat = merged(flat, inner);
  }
  return flat;
}

function partsOf(schema: JsonObject, references: References, choices: Choices): Schema[] {
  const parts: unknown[] = [];
  const target = references.follow(schema);
  if (target !== undefined) parts.push(target);
  if (Array.isArray(schema.allOf)) parts.push(...schema.allOf);
  for (const some of [schema.anyOf, schema.oneOf]) {
    if (Array.isArray(some)) parts.push(some[choices.pick(some.length)]);
  }
  if (isSchema(schema.if)) {
    if (choices.pick(2) === 0) parts.push(schema.if, schema.then);
    else parts.push(schema.else);
  }
  return parts.filter(isSchema);
}

const larger = (a: unknown, b: unknown) => Math.max(Number(a), Number(b));
const smaller = (a: unknown, b: unknown) => Math.min(Number(a), Number(b));
const both = (a: unknown, b: unknown) => {
  if (a === false || b === false) return false;
  return a === true ? b : { allOf: [a, b] };
};
const ofBoth = (a: unknown, b: unknown) => {
  if (!isObject(a) || !isObject(b)) return a;
  const shared = Object.entries(b).map(([name, schema]) => [
    name,
    Object.hasOwn(a, name) ? both(a[name], schema) : schema,
  ]);
  return { ...a, ...Object.fromEntries(shared) };
};

/** Merge functions of keywords that both sides have; for others the first value is kept. */
const JOINED: Readonly<Record<string, (a: unknown, b: unknown) => unknown>> = {
  ...Object.fromEntries(
    ['minimum', 'minLength', 'minItems', 'minProperties', 'minContains'].map((k) => [k, larger]),
  ),
  ...Object.fromEntries(
    ['maximum', 'maxLength', 'maxItems', 'maxProperties'].map((keyword) => [keyword, smaller]),
  ),
  exclusiveMinimum: (a, b) => (typeof a === 'boolean' ? a || b : larger(a, b)),
  exclusiveMaximum: (a, b) => (typeof a === 'boolean' ? a || b : smaller(a, b)),
  multipleOf: (a, b) => (Number(a) % Number(b) === 0 ? a : Number(a) * Number(b)),
  required: (a, b) => [...new Set([a, b].flat())],
  type: (a, b) => commonTypes([a].flat(), [b].flat()),
  enum: (a, b) => common(a, b),
  properties: ofBoth,
  patternProperties: ofBoth,
  additionalProperties: both,
  items: (a, b) => (Array.isArray(a) || Array.isArray(b) ? a : both(a, b)),
};

function merged(flat: JsonObject, more: JsonObject): JsonObject {
  const joined = Object.entries(more).map(([keyword, value]) => {
    if (!Object.hasOwn(flat, keyword)) return [keyword, value];
    return [keyword, (JOINED[keyword] ?? ((first) => first))(flat[keyword], value)];
  });
  return { ...flat, ...Object.fromEntries(joined) };
}

function commonTypes(a: unknown[], b: unknown[]): unknown[] {
  const within = (type: unknown, others: unknown[]) =>
    others.includes(type) || (type === 'integer' && others.includes('number'));
  const types = [...a.filter((type) => within(type, b)), ...b.filter((type) => within(type, a))];
  return [...new Set(types)];
}

function common(a: unknown, b: unknown): unknown {
  if (!Array.isArray(a) || !Array.isArray(b)) return a;
  const texts = new Set(b.map((value) => JSON.stringify(value)));
  return a.filter((value) => texts.has(JSON.stringify(value)));
}
