/** `anyOf`, `oneOf`, `not` and `if`, for values of one type. */

import { isObject } from '../../common/json-object.ts';
import { FALSE, NULL, OBJECT, STRING, TRUE } from '../decoder/kernel/layout.ts';
import { eitherOf } from './automata/automaton.ts';
import { TooLarge } from './automata/nfa.ts';
import { leaveUndecided, type Resolution, type Resolver } from './resolution.ts';
import type { Place } from './schema-places.ts';
import { type TextRule, textRule } from './strings.ts';
import { keywordsFor, listedValues, NUMBER, typeOf } from './types.ts';

/** Keywords that the types of a value settle. */
const SETTLED_BY_TYPE: ReadonlySet<string> = new Set(['type', 'nullable', '$ref', 'allOf']);
const COMBINATIONS: ReadonlySet<string> = new Set(['anyOf', 'oneOf', 'not', 'if']);
const LISTS: ReadonlySet<string> = new Set(['enum', 'const']);

/**
 * Applies the combinations of one schema.
 * @param bit type of the value
 * @param resolution of the value, which changes
 * @returns schemas that apply as well
 */
export function combine(
  place: Place,
  bit: number,
  resolution: Resolution,
  resolver: Resolver,
): Place[] {
  const context = { place, bit, resolution, resolver };
  return [...anyOf(context), ...oneOf(context), ...not(context), ...conditional(context)];
}

interface Context {
  readonly place: Place;
  readonly bit: number;
  readonly resolution: Resolution;
  readonly resolver: Resolver;
}

/** Returns the resolved schemas of a list that may accept the type; undefined = no such keyword. */
function branchesOf(keyword: string, { place, bit, resolver }: Context): Branch[] | undefined {
  if (resolver.places.valueOf(place, keyword) === undefined) return undefined;
  return resolver
    .listIn(place, keyword)
    .filter((inner) => (resolver.possibleTypes(inner) & bit) !== 0)
    .map((inner) => ({ inner, resolved: resolver.resolveOne(inner, bit) }))
    .filter(({ resolved }) => resolved.isAccepted || !resolved.isExact);
}

interface Branch {
  readonly inner: Place;
  readonly resolved: Resolution;
}

function anyOf(context: Context): Place[] {
  const { place, bit, resolution, resolver } = context;
  const branches = branchesOf('anyOf', context);
  if (branches === undefined) return [];
  const accepting = branches.filter(({ resolved }) => resolved.isAccepted);
  if (accepting.some(({ resolved }) => isUnconstrained(resolved, bit, resolver))) return [];
  const isExact = branches.every(({ resolved }) => resolved.isExact);
  const [first, ...others] = accepting;
  if (first === undefined) return reject(context, branches);
  const isSame = others.every(({ inner }) => isEqual(inner, first.inner));
  if (isSame) {
    if (!isExact) take(context, branches);
    return [first.inner];
  }
  const lists = accepting.map(({ resolved }) => listOf(resolved, bit, resolver));
  if (lists.every((list) => list !== undefined)) {
    if (!isExact) take(context, branches);
    return [resolver.places.derived({ enum: lists.flat() }, place)];
  }
  resolution.isExact = false;
  const either = bit === STRING ? eitherRule(accepting, resolver) : undefined;
  if (either !== undefined) {
    resolution.automata.push(either.automaton);
    const { min, max } = either;
    const lengths = { minLength: min, ...(max < Number.POSITIVE_INFINITY && { maxLength: max }) };
    return [resolver.places.derived(lengths, place)];
  }
  const why = 'is decided by its first schema for the type alone';
  resolution.slow.push({ pointer: `${place.pointer}/anyOf`, why });
  return [first.inner];
}

function oneOf(context: Context): Place[] {
  const { place, bit, resolution, resolver } = context;
  const branches = branchesOf('oneOf', context);
  if (branches === undefined) return [];
  const [first, ...others] = branches;
  if (first === undefined) return reject(context, branches);
  if (others.length === 0) return [first.inner];
  const isExact = branches.every(({ resolved }) => resolved.isExact);
  if (isExact) {
    const free = branches.filter(({ resolved }) => isUnconstrained(resolved, bit, resolver));
    if (free.length > 1) return reject(context, []);
    const lists = branches.map(({ resolved }) => listOf(resolved, bit, resolver));
    if (lists.every((list) => list !== undefined)) {
      const sets = lists.map((list) => new Set(list));
      const once = lists
        .flat()
        .filter((value) => sets.filter((set) => set.has(value)).length === 1);
      return [resolver.places.derived({ enum: once }, place)];
    }
  }
  const why = 'has several schemas for the type';
  leaveUndecided(resolution, { pointer: `${place.pointer}/oneOf`, why });
  return [];
}

function not(context: Context): Place[] {
  const { place, bit, resolution, resolver } = context;
  if (resolver.places.valueOf(place, 'not') === undefined) return [];
  const inner = resolver.places.inner(place, 'not');
  const resolved = resolver.resolveOne(inner, bit);
  if (!resolved.isAccepted && resolved.isExact) return [];
  if (isUnconstrained(resolved, bit, resolver)) return reject(context, []);
  resolution.isExact = false;
  const name = bit === OBJECT ? firstRequired(inner.schema) : undefined;
  if (name !== undefined) {
    // Valid without any of the names; unnecessarily strict if there are several.
    const properties = Object.fromEntries([[name, false]]);
    return [resolver.places.derived({ properties }, place)];
  }
  leaveUndecided(resolution, { pointer: `${place.pointer}/not`, why: 'is not decided' });
  return [];
}

/** Returns a name of a schema that only requires properties; undefined = any other schema. */
function firstRequired(schema: unknown): string | undefined {
  if (!isObject(schema) || Object.keys(schema).join() !== 'required') return undefined;
  const [name] = [schema.required].flat() as unknown[];
  return typeof name === 'string' ? name : undefined;
}

function conditional(context: Context): Place[] {
  const { place, bit, resolution, resolver } = context;
  const { places } = resolver;
  if (places.valueOf(place, 'if') === undefined) return [];
  const consequences = (names: readonly string[]) =>
    names
      .filter((name) => places.valueOf(place, name) !== undefined)
      .map((name) => places.inner(place, name))
      .filter((inner) => !isUnconstrained(resolver.resolveOne(inner, bit), bit, resolver));
  const condition = resolver.resolveOne(places.inner(place, 'if'), bit);
  if (!condition.isAccepted && condition.isExact) return consequences(['else']);
  if (isUnconstrained(condition, bit, resolver)) return consequences(['then']);
  const both = consequences(['then', 'else']);
  if (both.length === 0) return [];
  resolution.isExact = false;
  const why = 'is decided only for values that match both then and else';
  resolution.slow.push({ pointer: `${place.pointer}/if`, why });
  return both;
}

/** No schema accepts the type. */
function reject({ resolution }: Context, branches: readonly Branch[]): Place[] {
  resolution.isAccepted = false;
  if (branches.some(({ resolved }) => !resolved.isExact)) resolution.isExact = false;
  resolution.slow.push(...branches.flatMap(({ resolved }) => resolved.slow));
  return [];
}

/** Some of the schemas leave values undecided. */
function take({ resolution }: Context, branches: readonly Branch[]): void {
  resolution.isExact = false;
  resolution.slow.push(...branches.flatMap(({ resolved }) => resolved.slow));
}

/** Whether a resolution accepts all values of the type. */
function isUnconstrained(resolution: Resolution, bit: number, resolver: Resolver): boolean {
  return hasOnly(resolution, bit, resolver, SETTLED_BY_TYPE);
}

/** Whether no keywords apply to the type but those given, and those that are resolved. */
function hasOnly(
  { isAccepted, isExact, parts, automata }: Resolution,
  bit: number,
  { places }: Resolver,
  keywords: ReadonlySet<string>,
): boolean {
  if (!isAccepted || !isExact || automata.length > 0) return false;
  return parts.every((part) =>
    keywordsFor(part, bit, places).every(
      (keyword) =>
        keywords.has(keyword) ||
        SETTLED_BY_TYPE.has(keyword) ||
        COMBINATIONS.has(keyword) ||
        (LISTS.has(keyword) && bit !== STRING && (bit & NUMBER) === 0 && isSingle(bit)),
    ),
  );
}

/** Whether a type has one value. */
function isSingle(bit: number): boolean {
  return bit === TRUE || bit === FALSE || bit === NULL;
}

/** Returns the only values of the type that are valid; undefined = they are not listed. */
function listOf(resolution: Resolution, bit: number, resolver: Resolver): unknown[] | undefined {
  if (bit !== STRING && (bit & NUMBER) === 0) return undefined;
  if (!hasOnly(resolution, bit, resolver, LISTS)) return undefined;
  const lists = resolution.parts
    .map((part) => listedValues(part, resolver.places))
    .filter((list) => list !== undefined);
  const [first, ...others] = lists;
  return first?.filter(
    (value) => typeOf(value) & bit && others.every((list) => list.includes(value)),
  );
}

/**
 * Returns a rule for the texts that any of the schemas accepts, if all of them allow their lengths;
 * undefined = there is none.
 */
function eitherRule(branches: readonly Branch[], resolver: Resolver): TextRule | undefined {
  const rules = branches.map(({ resolved }) => textRule(resolved, resolver));
  const [first, ...others] = rules.filter((rule) => rule !== undefined);
  if (first === undefined || others.length + 1 < rules.length) return undefined;
  try {
    return others.reduce(
      (one, other) => ({
        automaton: eitherOf(one.automaton, other.automaton),
        min: Math.max(one.min, other.min),
        max: Math.min(one.max, other.max),
      }),
      first,
    );
  } catch (error) {
    if (error instanceof TooLarge) return undefined;
    throw error;
  }
}

function isEqual(one: Place, other: Place): boolean {
  const isResolvedAlike = one.scope === other.scope || !JSON.stringify(one.schema).includes('$ref');
  return isResolvedAlike && JSON.stringify(one.schema) === JSON.stringify(other.schema);
}
