/** Plans of values from the schemas that apply to them. */
import { ALL_TYPES, ARRAY, FRACTION, INTEGER, OBJECT, STRING } from '../decoder/kernel/layout.ts';
import {
  ANY,
  type ArrayPlan,
  type NumberPlan,
  type ObjectPlan,
  type StringPlan,
  type ValuePlan,
} from '../decoder/kernel/plan.ts';
import { arrayRule } from './arrays.ts';
import type { Captures } from './captures.ts';
import { isSameRule, nameOf, numberRule } from './numbers.ts';
import { objectRule } from './objects.ts';
import type { Resolution, Resolver } from './resolution.ts';
import { NEVER } from './rulings.ts';
import type { Place, SchemaPlaces, SlowPart } from './schema-places.ts';
import { SchemaResolver } from './schema-resolver.ts';
import { acceptsText, stringRule } from './strings.ts';
import { NUMBER, TYPE_BITS } from './types.ts';

/** Maximum of the plans of one schema. */
const PLANS_MAX = 20_000;
/** Maximum of the properties, items and the like that have a plan: more exceed the table. */
const USES_MAX = 30_000;

/** Keywords that may reject a value because of its type. */
const TYPE_KEYWORDS = ['type', 'anyOf', 'oneOf', 'not', 'if'] as const;

/** A plan that is being built. */
interface OpenPlan {
  types: number;
  readonly captures: number;
  object?: ObjectPlan | undefined;
  array?: ArrayPlan | undefined;
  string?: StringPlan | undefined;
  number?: NumberPlan | undefined;
}

/** A schema needs more plans than the limit. */
export class TooManyPlans extends Error {
  constructor() {
    super(`needs more than ${PLANS_MAX} plans, or ${USES_MAX} uses of them`);
  }
}

export class Planner {
  readonly #resolver: Resolver;
  readonly #plans = new Map<string, ValuePlan>();
  readonly #slow = new Map<string, SlowPart>();
  #uses = 0;

  constructor(places: SchemaPlaces) {
    this.#resolver = new SchemaResolver(places);
  }

  /**
   * Returns the plan of values to which all given schemas apply; the same one for the same schemas,
   * which may contain itself.
   * @throws TooManyPlans
   */
  planOf(schemas: readonly Place[], captures?: Captures | undefined): ValuePlan {
    const { places } = this.#resolver;
    // References to the same schema share its plan.
    const applied = schemas
      .map((place) => places.referred(place))
      .filter(({ schema }) => schema !== true);
    if (applied.length === 0 && captures === undefined) return ANY;
    if (++this.#uses > USES_MAX) throw new TooManyPlans();
    const ids = [...new Set(applied.map(({ id }) => id))].sort((one, other) => one - other);
    const key = `${ids.join()} ${captures?.id ?? 0}`;
    const known = this.#plans.get(key);
    if (known !== undefined) return known;
    if (this.#plans.size >= PLANS_MAX) throw new TooManyPlans();
    const plan: OpenPlan = { types: 0, captures: captures?.bits ?? 0 };
    // Before its parts: they may contain the plan.
    this.#plans.set(key, plan);
    const slow: SlowPart[] = [];
    let isTyped = false;
    for (const bit of TYPE_BITS) {
      const resolution = this.#resolver.resolve(applied, bit);
      slow.push(...resolution.slow);
      if (!resolution.isAccepted) continue;
      if (this.#add(bit, resolution, captures, plan, slow)) plan.types |= bit;
      isTyped ||= resolution.parts.some((part) => this.#dependsOnType(part));
    }
    // A rule of numbers excludes those beyond the finite doubles, which have no type for ajv.
    if (isTyped && plan.types === ALL_TYPES) plan.number ??= {};
    const result = this.#simplified(plan);
    this.#plans.set(key, result);
    for (const part of slow) this.#slow.set(JSON.stringify(part), part);
    return result;
  }

  #dependsOnType(part: Place): boolean {
    const { places } = this.#resolver;
    return TYPE_KEYWORDS.some((keyword) => places.valueOf(part, keyword) !== undefined);
  }

  #simplified(plan: OpenPlan): ValuePlan {
    if (plan.types === 0) return NEVER;
    const { object, array, string, number } = plan;
    const hasRule = [object, array, string, number].some((rule) => rule !== undefined);
    return hasRule || plan.types !== ALL_TYPES || plan.captures !== 0 ? plan : ANY;
  }

  /** Adds the rule of a type. @returns false = its values are undecided */
  #add(
    bit: number,
    resolution: Resolution,
    captures: Captures | undefined,
    plan: OpenPlan,
    slow: SlowPart[],
  ): boolean {
    const resolver = this.#resolver;
    const { parts } = resolution;
    if (bit === OBJECT) {
      const ruling = objectRule(parts, captures, resolver, this);
      slow.push(...ruling.slow);
      if (ruling.isAccepted) plan.object = ruling.rule;
      return ruling.isAccepted;
    }
    if (bit === ARRAY) {
      const ruling = arrayRule(parts, resolver, (schemas) => this.planOf(schemas));
      slow.push(...ruling.slow);
      if (ruling.isAccepted) plan.array = ruling.rule;
      return ruling.isAccepted;
    }
    if (bit === STRING) {
      const ruling = stringRule(resolution, resolver);
      slow.push(...ruling.slow);
      if (ruling.isAccepted) plan.string = ruling.rule;
      return ruling.isAccepted;
    }
    if ((bit & NUMBER) === 0) return true;
    const ruling = numberRule(parts, bit, resolver.places);
    slow.push(...ruling.slow);
    if (!ruling.isAccepted) return false;
    // Integers come first: both have the same rule.
    if (bit === FRACTION && plan.types & INTEGER && !isSameRule(plan.number, ruling.rule)) {
      const pointer = parts[0]?.pointer ?? '';
      slow.push({ pointer, why: `leaves ${nameOf(bit)} undecided` });
      return false;
    }
    plan.number = ruling.rule;
    return true;
  }

  /** Whether a text is accepted as a name by all given schemas of names. */
  acceptsName(schemas: readonly Place[], name: string): boolean {
    if (schemas.length === 0) return true;
    const resolution = this.#resolver.resolve(schemas, STRING);
    if (!resolution.isAccepted) return false;
    const ruling = stringRule(resolution, this.#resolver);
    return ruling.isAccepted && acceptsText(ruling.rule, name);
  }

  /** Returns the reasons for undecided values in all plans so far. */
  get slowParts(): SlowPart[] {
    return [...this.#slow.values()];
  }
}
