/** Schemas that apply to values of one type, without references and combinations. */
import { ARRAY, OBJECT } from '../decoder/kernel/layout.ts';
import { PatternCache } from './automata/pattern.ts';
import { combine } from './combinations.ts';
import { emptyResolution, leaveUndecided, type Resolution, type Resolver } from './resolution.ts';
import type { Place, SchemaPlaces } from './schema-places.ts';
import { keywordsFor, typesOf } from './types.ts';

/** Keywords that plans cover, in full or in part. */
const PLANNED: ReadonlySet<string> = new Set([
  ...['type', 'nullable', 'enum', 'const', '$ref', 'allOf', 'anyOf', 'oneOf', 'not', 'if'],
  ...['minLength', 'maxLength', 'pattern', 'format'],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  ...['items', 'prefixItems', 'additionalItems', 'unevaluatedItems'],
  ...['minItems', 'maxItems', 'uniqueItems'],
  ...['properties', 'patternProperties', 'additionalProperties', 'unevaluatedProperties'],
  ...['propertyNames', 'required', 'minProperties', 'maxProperties'],
  ...['dependencies', 'dependentRequired', 'dependentSchemas'],
]);

/**
 * Keywords that may or may not evaluate properties. In drafts with `unevaluatedProperties`, ajv's
 * code for `patternProperties` throws a TypeError for some objects if they do not.
 */
const EVALUATING = [
  ...['$ref', 'allOf', 'anyOf', 'oneOf', 'not', 'if'],
  ...['dependencies', 'dependentSchemas', '$dynamicRef', '$recursiveRef'],
];

/** Resolves the schemas of one file. */
export class SchemaResolver implements Resolver {
  readonly places: SchemaPlaces;
  readonly patterns = new PatternCache();
  readonly #possible = new Map<Place, number>();
  readonly #resolved = new Map<number, Map<Place, Resolution>>();

  constructor(places: SchemaPlaces) {
    this.places = places;
  }

  resolve(schemas: readonly Place[], bit: number): Resolution {
    const resolution = emptyResolution();
    const seen = new Set<Place>();
    const added = [...schemas];
    const waiting: Place[] = [];
    while (resolution.isAccepted && (added.length > 0 || waiting.length > 0)) {
      if (added.length > 0) {
        // Types first: what does not concern the type needs no reason.
        for (const part of this.flatten(added.splice(0), resolution)) {
          if (seen.has(part)) continue;
          seen.add(part);
          resolution.parts.push(part);
          waiting.push(part);
          if ((typesOf(part, this.places) & bit) === 0) resolution.isAccepted = false;
        }
      } else {
        const part = waiting.shift()!;
        this.#checkKeywords(part, bit, resolution);
        added.push(...combine(part, bit, resolution, this));
      }
    }
    return resolution;
  }

  #checkKeywords(part: Place, bit: number, resolution: Resolution): void {
    const { pointer } = part;
    const unknown = keywordsFor(part, bit, this.places).find((keyword) => !PLANNED.has(keyword));
    if (unknown !== undefined) {
      leaveUndecided(resolution, { pointer: `${pointer}/${unknown}`, why: 'is not decided' });
    }
    const isPresent = (name: string) => this.places.valueOf(part, name) !== undefined;
    const tracks = this.places.compiler.opts.unevaluated === true;
    const mayThrow = tracks && isPresent('patternProperties') && EVALUATING.some(isPresent);
    if (bit === OBJECT && mayThrow) {
      const why = 'is left to ajv together with combined schemas';
      leaveUndecided(resolution, { pointer: `${pointer}/patternProperties`, why });
    }
    if (bit !== OBJECT && bit !== ARRAY) return;
    const keyword = ['enum', 'const'].find(isPresent);
    if (keyword === undefined) return;
    leaveUndecided(resolution, {
      pointer: `${pointer}/${keyword}`,
      why: 'lists objects or arrays',
    });
  }

  resolveOne(place: Place, bit: number): Resolution {
    const ofType = this.#resolved.get(bit) ?? new Map<Place, Resolution>();
    this.#resolved.set(bit, ofType);
    const known = ofType.get(place);
    if (known !== undefined) return known;
    // For schemas that refer to themselves.
    ofType.set(place, { ...emptyResolution(), isAccepted: false, isExact: false });
    const resolution = this.resolve([place], bit);
    ofType.set(place, resolution);
    return resolution;
  }

  flatten(schemas: readonly Place[], resolution: Resolution): Set<Place> {
    const found = new Set<Place>();
    const visit = (place: Place, path: readonly Place[]): void => {
      if (path.includes(place)) {
        leaveUndecided(resolution, { pointer: place.pointer, why: 'refers to itself' });
        return;
      }
      if (found.has(place) || place.schema === true) return;
      found.add(place);
      const next = [...path, place];
      if (this.places.valueOf(place, '$ref') !== undefined) {
        const target = this.places.target(place);
        if (target !== undefined) visit(target, next);
        else {
          const why = 'is a reference that is not resolved';
          leaveUndecided(resolution, { pointer: `${place.pointer}/$ref`, why });
        }
      }
      for (const inner of this.listIn(place, 'allOf')) visit(inner, next);
      if (typeof place.schema !== 'object') {
        if (place.schema !== false) resolution.isExact = false;
        resolution.isAccepted = false;
      }
    };
    for (const place of schemas) visit(place, []);
    return found;
  }

  listIn(place: Place, keyword: string): Place[] {
    const list = this.places.valueOf(place, keyword);
    if (!Array.isArray(list)) return [];
    return list.map((_, index) => this.places.inner(place, keyword, index));
  }

  possibleTypes(place: Place): number {
    const known = this.#possible.get(place);
    if (known !== undefined) return known;
    let types = typesOf(place, this.places);
    // For schemas that refer to themselves.
    this.#possible.set(place, types);
    const target =
      this.places.valueOf(place, '$ref') === undefined ? undefined : this.places.target(place);
    if (target !== undefined) types &= this.possibleTypes(target);
    for (const inner of this.listIn(place, 'allOf')) types &= this.possibleTypes(inner);
    for (const keyword of ['anyOf', 'oneOf']) {
      const list = this.listIn(place, keyword);
      if (list.length === 0) continue;
      types &= list.reduce((bits, inner) => bits | this.possibleTypes(inner), 0);
    }
    this.#possible.set(place, types);
    return types;
  }
}
