/** Rules of plans, as derived from the schemas of a value for one type. */
import type { ValuePlan } from '../decoder/kernel/plan.ts';
import type { SlowPart } from './schema-places.ts';

/** A rule of a plan, with the reasons for values that it leaves undecided. */
export type Ruling<Rule> =
  | {
      readonly isAccepted: true;
      /** Undefined = any value of the type. */
      readonly rule: Rule | undefined;
      readonly slow: readonly SlowPart[];
    }
  | { readonly isAccepted: false; readonly slow: readonly SlowPart[] };

/** Accepts nothing. */
export const NEVER: ValuePlan = { types: 0, captures: 0 };

/** Maximum of lengths and counts in a plan: longer values are beyond every frame. */
const LENGTH_MAX = 2 ** 30;

/** Returns limits of a length or a count, without those that have no effect. */
export function lengthsOf(min: number, max: number): { min?: number; max?: number } {
  return {
    ...(min > 0 && { min: Math.min(min, LENGTH_MAX) }),
    ...(max < LENGTH_MAX && { max }),
  };
}
