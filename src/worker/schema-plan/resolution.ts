/**
 * Resolution of the schemas that apply to a value of one type: references and combined schemas are
 * replaced by the schemas that they lead to.
 */
import type { Automaton } from '../decoder/kernel/plan.ts';
import type { PatternCache } from './automata/pattern.ts';
import type { Place, SchemaPlaces, SlowPart } from './schema-places.ts';

/** A value of the type is valid if all of this accepts it. */
export interface Resolution {
  /** Whether values of the type may be accepted. */
  isAccepted: boolean;
  /** A value is valid only if all of this accepts it; false = it may be valid otherwise. */
  isExact: boolean;
  /** Schemas whose own keywords apply, without references and combinations. */
  readonly parts: Place[];
  /** Automata that must accept a text as well. */
  readonly automata: Automaton[];
  /** Reasons for values that are undecided. */
  readonly slow: SlowPart[];
}

export interface Resolver {
  readonly places: SchemaPlaces;
  readonly patterns: PatternCache;
  /**
   * Resolves schemas that all apply to a value.
   * @param bit type of the value
   */
  resolve(schemas: readonly Place[], bit: number): Resolution;
  /** Resolves one schema. */
  resolveOne(place: Place, bit: number): Resolution;
  /**
   * Returns schemas with those that they refer to, or combine by `allOf`.
   * @param resolution changes if one of them accepts nothing, or is unknown
   */
  flatten(schemas: readonly Place[], resolution: Resolution): Set<Place>;
  /** Returns the schemas in the list of a keyword. */
  listIn(place: Place, keyword: string): Place[];
  /** Returns the types that a schema may accept: all values of other types are invalid. */
  possibleTypes(place: Place): number;
}

/** Returns a resolution of no schemas. */
export function emptyResolution(): Resolution {
  return { isAccepted: true, isExact: true, parts: [], automata: [], slow: [] };
}

/** Values are not accepted, though they may be valid. */
export function leaveUndecided(resolution: Resolution, part: SlowPart): void {
  resolution.isAccepted = false;
  resolution.isExact = false;
  resolution.slow.push(part);
}
