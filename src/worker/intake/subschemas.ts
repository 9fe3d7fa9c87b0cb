/** The schemas within a JSON Schema. */
import { isObject, type JsonObject } from '../../common/json-object.ts';
import type { Compiler } from './drafts.ts';
import { escaped } from './json-pointer.ts';

/** Keywords whose value is a schema, or an array of schemas. */
const HOLDS_SCHEMAS = [
  'additionalItems',
  'additionalProperties',
  'allOf',
  'anyOf',
  'contains',
  'else',
  'if',
  'items',
  'not',
  'oneOf',
  'prefixItems',
  'propertyNames',
  'then',
  'unevaluatedItems',
  'unevaluatedProperties',
];
/** Keywords whose value is an object of schemas, with names that are not keywords. */
const HOLDS_NAMED_SCHEMAS = [
  '$defs',
  'definitions',
  'dependencies',
  'dependentSchemas',
  'patternProperties',
  'properties',
];
/** Whether the compiler applies a keyword; it applies some that are not of its draft. */
export function isApplied(name: string, { RULES }: Compiler): boolean {
  return Object.hasOwn(RULES.keywords, name);
}

/** Returns the direct subschemas of a schema, with their pointers. */
export function schemasIn(
  schema: JsonObject,
  pointer: string,
  compiler: Compiler,
): [JsonObject, string][] {
  const known = (keyword: string) => Object.hasOwn(schema, keyword) && isApplied(keyword, compiler);
  const at = (keyword: string) => [schema[keyword], `${pointer}/${keyword}`] as const;
  const named = HOLDS_NAMED_SCHEMAS.filter(known).map(at);
  const held = HOLDS_SCHEMAS.filter(known).map(at);
  const single = held.filter(([value]) => isObject(value)) as [JsonObject, string][];
  const arrays = held.filter(([value]) => Array.isArray(value));
  const members = [...named, ...arrays].flatMap(([holder, holderAt]) =>
    Object.entries(holder ?? {}).map(([name, value]) => [value, `${holderAt}/${escaped(name)}`]),
  );
  return [...single, ...(members.filter(([value]) => isObject(value)) as [JsonObject, string][])];
}
