/** Parts of a value that its schema evaluates, so that `unevaluated…` does not apply to them. */
import { isObject } from '../../common/json-object.ts';
import { emptyResolution, type Resolver } from './resolution.ts';
import type { Place } from './schema-places.ts';

/**
 * Returns the schemas that always apply along with a schema: itself, and those that it refers to or
 * combines by `allOf`.
 */
function alwaysApplied(place: Place, resolver: Resolver): Place[] {
  return [...resolver.flatten([place], emptyResolution())];
}

/**
 * Returns the names of properties that a schema certainly evaluates; undefined = all.
 * @param place of a schema with `unevaluatedProperties`
 */
export function evaluatedNames(place: Place, resolver: Resolver): Set<string> | undefined {
  const names = new Set<string>();
  for (const part of alwaysApplied(place, resolver)) {
    const value = (keyword: string) => resolver.places.valueOf(part, keyword);
    if (value('additionalProperties') !== undefined) return undefined;
    if (part !== place && value('unevaluatedProperties') !== undefined) return undefined;
    const properties = value('properties');
    for (const name of Object.keys(isObject(properties) ? properties : {})) names.add(name);
  }
  return names;
}

/**
 * Returns the number of first items that a schema certainly evaluates; undefined = all.
 * @param place of a schema with `unevaluatedItems`
 */
export function evaluatedItems(place: Place, resolver: Resolver): number | undefined {
  let count = 0;
  for (const part of alwaysApplied(place, resolver)) {
    const value = (keyword: string) => resolver.places.valueOf(part, keyword);
    const { prefix, rest } = itemsOf(part, resolver);
    if (rest !== undefined) return undefined;
    if (part !== place && value('unevaluatedItems') !== undefined) return undefined;
    count = Math.max(count, prefix.length);
  }
  return count;
}

/** Returns the schemas of items: of the first ones, and of all others; undefined = any. */
export function itemsOf(
  place: Place,
  { places }: Resolver,
): { readonly prefix: readonly Place[]; readonly rest: Place | undefined } {
  const isPresent = (keyword: string) => places.valueOf(place, keyword) !== undefined;
  const listAt = (keyword: string) => {
    const list = places.valueOf(place, keyword);
    return Array.isArray(list) ? list.map((_, index) => places.inner(place, keyword, index)) : [];
  };
  if (isPresent('prefixItems')) {
    const rest = isPresent('items') ? places.inner(place, 'items') : undefined;
    return { prefix: listAt('prefixItems'), rest };
  }
  if (!isPresent('items')) return { prefix: [], rest: undefined };
  if (!Array.isArray(places.valueOf(place, 'items'))) {
    return { prefix: [], rest: places.inner(place, 'items') };
  }
  const rest = isPresent('additionalItems') ? places.inner(place, 'additionalItems') : undefined;
  return { prefix: listAt('items'), rest };
}
