/** Rules of objects. */
import { isObject } from '../../common/json-object.ts';
import { PROPERTIES_MAX } from '../decoder/kernel/layout.ts';
import { ANY, type ObjectPlan, type ValuePlan } from '../decoder/kernel/plan.ts';
import { acceptsAll, isWellFormed } from './automata/automaton.ts';
import type { Captures } from './captures.ts';
import { evaluatedNames } from './evaluated.ts';
import type { Resolver } from './resolution.ts';
import { lengthsOf, NEVER, type Ruling } from './rulings.ts';
import type { Place, SlowPart } from './schema-places.ts';

/** The engine gives it a meaning of its own in objects of a schema. */
const PROTOTYPE = '__proto__';

/** Plans of values within an object. */
export interface InnerPlans {
  /** Returns the plan of values to which all given schemas apply. */
  planOf(schemas: readonly Place[], captures?: Captures | undefined): ValuePlan;
  /** Whether a text is accepted as a name by all given schemas of `propertyNames`. */
  acceptsName(schemas: readonly Place[], name: string): boolean;
}

/** Returns the rule of the objects that schemas accept, with the fields of the record. */
export function objectRule(
  parts: readonly Place[],
  captures: Captures | undefined,
  resolver: Resolver,
  plans: InnerPlans,
): Ruling<ObjectPlan> {
  return new ObjectRule(parts, captures, resolver, plans).build();
}

/** Schemas of the properties of one schema. */
interface Members {
  readonly named: ReadonlyMap<string, Place>;
  readonly patterns: readonly Pattern[];
  /** Schema of all others; undefined = any. */
  readonly rest: Place | undefined;
}

interface Pattern {
  readonly place: Place;
  readonly matchesAll: boolean;
  matches(name: string): boolean;
}

class ObjectRule {
  readonly #parts: readonly Place[];
  readonly #captures: Captures | undefined;
  readonly #resolver: Resolver;
  readonly #plans: InnerPlans;
  readonly #members: Members[] = [];
  readonly #required = new Set<string>();
  /** Properties that are undecided. */
  readonly #undecided = new Set<string>();
  readonly #nameSchemas: Place[] = [];
  readonly #slow: SlowPart[] = [];
  #min = 0;
  #max = Number.POSITIVE_INFINITY;
  #isUndecided = false;

  constructor(
    parts: readonly Place[],
    captures: Captures | undefined,
    resolver: Resolver,
    plans: InnerPlans,
  ) {
    this.#parts = parts;
    this.#captures = captures;
    this.#resolver = resolver;
    this.#plans = plans;
  }

  build(): Ruling<ObjectPlan> {
    for (const part of this.#parts) this.#read(part);
    this.#readDependencies();
    const [slow, required] = [this.#slow, this.#required];
    const isRejected = [...required].some(
      (name) => this.#undecided.has(name) || !isWellFormed(name),
    );
    if (this.#isUndecided || isRejected || this.#min > this.#max)
      return { isAccepted: false, slow };
    const others = this.#others();
    const properties = new Map<string, ValuePlan>();
    for (const name of this.#names()) {
      const plan = this.#plan(name);
      const isAsOthers = plan === others || (plan === NEVER && others === undefined);
      const isNeeded = required.has(name) || this.#min > 0 || !isAsOthers;
      if (isNeeded && isWellFormed(name)) properties.set(name, plan);
    }
    const min = this.#min <= required.size ? 0 : this.#min;
    if (properties.size > PROPERTIES_MAX || min > properties.size) {
      const pointer = this.#parts.find((part) => this.#value(part, 'properties'))?.pointer ?? '';
      const [keyword, why] =
        min > properties.size
          ? ['minProperties', 'counts properties without a schema of their own']
          : ['properties', `has more than ${PROPERTIES_MAX} names`];
      return { isAccepted: false, slow: [...slow, { pointer: `${pointer}/${keyword}`, why }] };
    }
    // Names without UTF-8 are undecided, but only if names are read at all.
    const isRead = this.#max < Number.POSITIVE_INFINITY || ![...this.#names()].every(isWellFormed);
    if (!isRead && others === ANY && properties.size === 0) {
      return { isAccepted: true, rule: undefined, slow };
    }
    const rule = { properties, required, others, ...lengthsOf(min, this.#max) };
    return { isAccepted: true, rule, slow };
  }

  #value(part: Place, keyword: string): unknown {
    return this.#resolver.places.valueOf(part, keyword);
  }

  #read(part: Place): void {
    const { places } = this.#resolver;
    const value = (keyword: string) => this.#value(part, keyword);
    const namesIn = (keyword: string) => {
      const held = value(keyword);
      return Object.keys(isObject(held) ? held : {});
    };
    const inner = (keyword: string) =>
      value(keyword) === undefined ? undefined : places.inner(part, keyword);
    for (const name of [value('required') ?? []].flat()) this.#required.add(String(name));
    const [min, max] = [value('minProperties'), value('maxProperties')];
    if (typeof min === 'number') this.#min = Math.max(this.#min, Math.ceil(min));
    if (typeof max === 'number') this.#max = Math.min(this.#max, Math.floor(max));
    const names = inner('propertyNames');
    if (names !== undefined && names.schema !== true) this.#nameSchemas.push(names);
    const patterns = namesIn('patternProperties').filter((pattern) => pattern !== PROTOTYPE);
    this.#members.push({
      named: new Map(
        namesIn('properties').map((name) => [name, places.inner(part, 'properties', name)]),
      ),
      patterns: patterns.map((pattern) => this.#pattern(part, pattern)),
      rest: inner('additionalProperties'),
    });
    const unevaluated = inner('unevaluatedProperties');
    const evaluated = unevaluated && evaluatedNames(part, this.#resolver);
    if (evaluated === undefined) return;
    const any = places.derived(true, part);
    const named = new Map([...evaluated].map((name) => [name, any]));
    this.#members.push({ named, patterns: [], rest: unevaluated });
  }

  #pattern(part: Place, pattern: string): Pattern {
    const { places, patterns } = this.#resolver;
    const place = places.inner(part, 'patternProperties', pattern);
    let regExp: RegExp | undefined;
    try {
      regExp = new RegExp(pattern, 'u');
    } catch {
      // Compiled by ajv only if it has an effect.
      this.#isUndecided = true;
    }
    const automaton = patterns.automatonOf(pattern);
    const matchesAll = typeof automaton !== 'string' && acceptsAll(automaton);
    if (!matchesAll && place.schema !== true) {
      const why = 'is decided only for values that match all of its schemas';
      this.#slow.push({ pointer: `${part.pointer}/patternProperties`, why });
    }
    return { place, matchesAll, matches: (name) => regExp?.test(name) === true };
  }

  #readDependencies(): void {
    const found: { readonly name: string; readonly needs: unknown; readonly at: string }[] = [];
    for (const part of this.#parts) {
      for (const keyword of ['dependencies', 'dependentRequired', 'dependentSchemas']) {
        const held = this.#value(part, keyword);
        if (!isObject(held)) continue;
        const at = `${part.pointer}/${keyword}`;
        for (const [name, needs] of Object.entries(held)) found.push({ name, needs, at });
      }
    }
    for (const name of this.#required) {
      const lists = found.filter((each) => each.name === name && Array.isArray(each.needs));
      // Found later by this loop.
      for (const { needs } of lists)
        for (const each of [needs].flat()) this.#required.add(String(each));
    }
    for (const { name, needs, at } of found) {
      const isMet = Array.isArray(needs)
        ? needs.every((each) => this.#required.has(String(each)))
        : needs === true;
      if (isMet) continue;
      this.#undecided.add(name);
      const why = `leaves events with ${JSON.stringify(name)} undecided`;
      this.#slow.push({ pointer: at, why });
    }
  }

  #names(): Set<string> {
    return new Set([
      ...this.#members.flatMap(({ named }) => [...named.keys()]),
      ...this.#required,
      ...this.#undecided,
      ...(this.#captures?.inner.keys() ?? []),
    ]);
  }

  /** Returns the plan of the values with a name. */
  #plan(name: string): ValuePlan {
    if (name === PROTOTYPE || this.#undecided.has(name)) return NEVER;
    const isName = this.#plans.acceptsName(this.#nameSchemas, name);
    if (!isName) return NEVER;
    const schemas = this.#members.flatMap(({ named, patterns, rest }) => {
      const found = patterns.filter((pattern) => pattern.matches(name)).map(({ place }) => place);
      const own = named.get(name);
      if (own !== undefined) found.push(own);
      return found.length > 0 || rest === undefined ? found : [rest];
    });
    return this.#plans.planOf(schemas, this.#captures?.inner.get(name));
  }

  /** Returns the plan of the values with any other name; undefined = undecided. */
  #others(): ValuePlan | undefined {
    if (this.#nameSchemas.length > 0) {
      const pointer = this.#nameSchemas[0]!.pointer;
      this.#slow.push({
        pointer,
        why: 'leaves properties without a schema of their own undecided',
      });
      return undefined;
    }
    const schemas = this.#members.flatMap(({ patterns, rest }) => {
      const places = patterns.map(({ place }) => place);
      const hasOthers = rest !== undefined && !patterns.some(({ matchesAll }) => matchesAll);
      return hasOthers ? [...places, rest] : places;
    });
    const plan = this.#plans.planOf(schemas);
    return plan === NEVER ? undefined : plan;
  }
}
