/** Types of values as bits of a plan, and the keywords that concern them. */
import { isObject } from '../../common/json-object.ts';
import {
  ALL_TYPES,
  ARRAY,
  FALSE,
  FRACTION,
  INTEGER,
  NULL,
  OBJECT,
  STRING,
  TRUE,
} from '../decoder/kernel/layout.ts';
import type { Place, SchemaPlaces } from './schema-places.ts';

/** Each bit alone. */
export const TYPE_BITS = [OBJECT, ARRAY, STRING, INTEGER, FRACTION, TRUE, FALSE, NULL] as const;
export const NUMBER = INTEGER | FRACTION;

const BITS_OF_TYPES: ReadonlyMap<unknown, number> = new Map([
  ['object', OBJECT],
  ['array', ARRAY],
  ['string', STRING],
  ['integer', INTEGER],
  ['number', NUMBER],
  ['boolean', TRUE | FALSE],
  ['null', NULL],
]);
/** Names of the groups of keywords that ajv applies to values of a type. */
const GROUPS: ReadonlyMap<number, string> = new Map([
  [OBJECT, 'object'],
  [ARRAY, 'array'],
  [STRING, 'string'],
  [INTEGER, 'number'],
  [FRACTION, 'number'],
]);
/** Keywords that constrain no value themselves. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  '$dynamicAnchor',
  '$recursiveAnchor',
  'else',
  'maxContains',
  'minContains',
  'then',
]);

/** Returns the bits of a value, which is not parsed from a number beyond the finite doubles. */
export function typeOf(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return STRING;
    case 'boolean':
      return value ? TRUE : FALSE;
    case 'number':
      if (!Number.isFinite(value)) return NUMBER;
      return Number.isInteger(value) ? INTEGER : FRACTION;
    default:
      if (value === null) return NULL;
      return Array.isArray(value) ? ARRAY : OBJECT;
  }
}

/** Returns the values that `enum` and `const` allow; undefined = any. */
export function listedValues(place: Place, places: SchemaPlaces): unknown[] | undefined {
  const values = places.valueOf(place, 'enum');
  const constant = places.valueOf(place, 'const');
  const list = Array.isArray(values) ? (values as unknown[]) : undefined;
  if (constant === undefined) return list;
  const isAllowed = list === undefined || isStructure(constant) || list.includes(constant);
  return isAllowed ? [constant] : [];
}

function isStructure(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

/**
 * Returns the types that the keywords of one schema may accept: `type`, `nullable`, `enum` and
 * `const`. All values of other types are invalid.
 */
export function typesOf(place: Place, places: SchemaPlaces): number {
  if (place.schema === false) return 0;
  let types = ALL_TYPES;
  const type = places.valueOf(place, 'type');
  if (type !== undefined) {
    const names = [type].flat();
    types = names.reduce((bits: number, name) => bits | (BITS_OF_TYPES.get(name) ?? 0), 0);
    if (places.valueOf(place, 'nullable') === true) types |= NULL;
  }
  const values = listedValues(place, places);
  if (values === undefined) return types;
  return types & values.reduce((bits: number, value) => bits | typeOf(value), 0);
}

/** Returns the keywords of a schema that may reject values of a type, other than its references. */
export function keywordsFor(place: Place, bit: number, { compiler }: SchemaPlaces): string[] {
  if (!isObject(place.schema)) return [];
  const group = GROUPS.get(bit);
  return Object.keys(place.schema).filter((keyword) => {
    const rule = compiler.RULES.all[keyword];
    if (!Object.hasOwn(compiler.RULES.all, keyword) || !isObject(rule)) return false;
    if (WITHOUT_EFFECT.has(keyword)) return false;
    const { type } = (rule as unknown as Rule).definition;
    return type.length === 0 || type.some((name) => name === group);
  });
}

/** Part of ajv's rules of keywords. */
interface Rule {
  readonly definition: { readonly type: readonly string[] };
}
