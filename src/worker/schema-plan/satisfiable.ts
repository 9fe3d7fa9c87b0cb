/** Values that a plan can accept at all. */
import { ARRAY, OBJECT } from '../decoder/kernel/layout.ts';
import type { ArrayPlan, ObjectPlan, ValuePlan } from '../decoder/kernel/plan.ts';

/** Whether a plan accepts some value. Strings and numbers count as accepted. */
export function isSatisfiable(plan: ValuePlan): boolean {
  const reached = new Set([plan]);
  for (const each of reached) for (const inner of innerPlans(each)) reached.add(inner);
  const satisfiable = new Set<ValuePlan>();
  let size = -1;
  // Plans that contain themselves: the smallest values first.
  while (satisfiable.size > size) {
    size = satisfiable.size;
    for (const each of reached) if (accepts(each, satisfiable)) satisfiable.add(each);
  }
  return satisfiable.has(plan);
}

/** @param satisfiable plans that are known to accept some value */
function accepts({ types, object, array }: ValuePlan, known: ReadonlySet<ValuePlan>): boolean {
  const others = types & ~(OBJECT | ARRAY);
  if (others !== 0) return true;
  if (types & OBJECT && (object === undefined || acceptsObject(object, known))) return true;
  return (types & ARRAY) !== 0 && (array === undefined || acceptsArray(array, known));
}

function acceptsObject(
  { properties, required, min = 0, max = Number.POSITIVE_INFINITY }: ObjectPlan,
  known: ReadonlySet<ValuePlan>,
): boolean {
  const isPossible = (name: string) => known.has(properties.get(name)!);
  const possible = [...properties.keys()].filter(isPossible).length;
  return [...required].every(isPossible) && possible >= min && required.size <= max;
}

function acceptsArray(
  { prefix, items, min = 0 }: ArrayPlan,
  known: ReadonlySet<ValuePlan>,
): boolean {
  if (!prefix.slice(0, min).every((plan) => known.has(plan))) return false;
  return min <= prefix.length || (items !== undefined && known.has(items));
}

/** Returns the plans that a plan contains directly. */
function innerPlans({ object, array }: ValuePlan): ValuePlan[] {
  const plans = [...(object?.properties.values() ?? []), ...(array?.prefix ?? [])];
  return [...plans, object?.others, array?.items].filter((plan) => plan !== undefined);
}
