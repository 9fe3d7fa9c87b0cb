/** Rules of arrays. */
import { ANY, type ArrayPlan, type ValuePlan } from '../decoder/kernel/plan.ts';
import { evaluatedItems, itemsOf } from './evaluated.ts';
import type { Resolver } from './resolution.ts';
import { lengthsOf, NEVER, type Ruling } from './rulings.ts';
import type { Place } from './schema-places.ts';

/** Maximum of first items with schemas of their own. */
const PREFIX_MAX = 1_024;

/**
 * Returns the rule of the arrays that schemas accept.
 * @param planOf returns the plan of values to which all given schemas apply
 */
export function arrayRule(
  parts: readonly Place[],
  resolver: Resolver,
  planOf: (schemas: readonly Place[]) => ValuePlan,
): Ruling<ArrayPlan> {
  const { places } = resolver;
  let [min, max, length] = [0, Number.POSITIVE_INFINITY, 0];
  let unique = false;
  const lists: { readonly prefix: readonly Place[]; readonly rest: Place | undefined }[] = [];
  for (const part of parts) {
    const value = (keyword: string) => places.valueOf(part, keyword);
    const [minItems, maxItems] = [value('minItems'), value('maxItems')];
    if (typeof minItems === 'number') min = Math.max(min, Math.ceil(minItems));
    if (typeof maxItems === 'number') max = Math.min(max, Math.floor(maxItems));
    unique ||= value('uniqueItems') === true;
    lists.push(itemsOf(part, resolver));
    const evaluated = evaluatedItems(part, resolver);
    if (value('unevaluatedItems') !== undefined && evaluated !== undefined) {
      const prefix = Array.from({ length: evaluated }, () => places.derived(true, part));
      lists.push({ prefix, rest: places.inner(part, 'unevaluatedItems') });
    }
  }
  for (const { prefix } of lists) length = Math.max(length, prefix.length);
  if (length > PREFIX_MAX) {
    const pointer = parts[0]?.pointer ?? '';
    const why = `has more than ${PREFIX_MAX} schemas of items`;
    return { isAccepted: false, slow: [{ pointer, why }] };
  }
  if (min > max) return { isAccepted: false, slow: [] };
  const schemasAt = (index: number) =>
    lists.map(({ prefix, rest }) => prefix[index] ?? rest).filter((place) => place !== undefined);
  const prefix = Array.from({ length }, (_, index) => planOf(schemasAt(index)));
  const items = planOf(schemasAt(length));
  const isUnlimited = min === 0 && max === Number.POSITIVE_INFINITY && !unique;
  if (isUnlimited && [items, ...prefix].every((plan) => plan === ANY)) {
    return { isAccepted: true, rule: undefined, slow: [] };
  }
  const others = items === NEVER ? undefined : items;
  const rule = { prefix, items: others, ...lengthsOf(min, max), unique };
  return { isAccepted: true, rule, slow: [] };
}
