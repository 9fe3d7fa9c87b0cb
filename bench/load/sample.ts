/** Sample values of a schema: valid, and the same for the same seed. */
import type { SeededRandom } from '../../testing/random.ts';
import type { Json, JsonObject, Schema, SchemaDocument, TypeName } from './json-schema.ts';
import { NAMES, text } from './words.ts';

/** Share of optional properties that are present. */
const PRESENT_SHARE = 0.8;
const TEXT_CHARACTERS_MAX = 400;
const TEXT_CHARACTERS = 24;
const OPEN_PROPERTIES_MAX = 4;
const INTEGER_MAX = 1_000_000;
const HUNDREDTHS = 100;
/** 2026-01-01. */
const EPOCH_MS = 1_767_225_600_000;
const YEAR_MS = 365 * 24 * 3_600_000;

/** Makes values of one document. */
export class Sampler {
  readonly #document: SchemaDocument;
  readonly #random: SeededRandom;
  readonly #charactersMax: number;

  /** @param charactersMax of a text, where the schema permits a shorter one */
  constructor(document: SchemaDocument, random: SeededRandom, charactersMax = Infinity) {
    this.#charactersMax = Math.min(TEXT_CHARACTERS_MAX, charactersMax);
    this.#document = document;
    this.#random = random;
  }

  /**
   * Returns an event with its properties in random order.
   * @param optional includes optional properties; false = required ones only
   */
  event(optional = true): JsonObject {
    return this.#object(this.#document, optional);
  }

  /** Returns a value; arrays of it have up to `maxItems` items. */
  value(schema: Schema): Json {
    const random = this.#random;
    const { $ref, anyOf } = schema;
    if ($ref !== undefined) return this.value(this.#resolve($ref));
    if (anyOf !== undefined) return this.value(random.pick(anyOf));
    if (schema.const !== undefined) return schema.const;
    if (schema.enum !== undefined) return random.pick(schema.enum);
    const { type = 'string' } = schema;
    return this.#typed(schema, typeof type === 'string' ? type : random.pick(type));
  }

  #typed(schema: Schema, type: TypeName): Json {
    const random = this.#random;
    switch (type) {
      case 'string':
        return this.#string(schema);
      case 'integer': {
        const { minimum = 0, maximum = INTEGER_MAX } = schema;
        return random.int(minimum, maximum);
      }
      case 'number':
        return this.#number(schema);
      case 'boolean':
        return random.chance(0.5);
      case 'null':
        return null;
      case 'object':
        return this.#object(schema, true);
      case 'array': {
        const { items = {}, minItems = 0, maxItems = minItems } = schema;
        const length = random.int(minItems, maxItems);
        return Array.from({ length }, () => this.value(items));
      }
    }
  }

  #string({ format, examples, minLength = 0, maxLength = TEXT_CHARACTERS }: Schema): string {
    const random = this.#random;
    if (examples !== undefined) return String(random.pick(examples));
    if (format === 'uuid') return uuid(random);
    if (format === 'date-time') {
      return new Date(EPOCH_MS + random.int(0, YEAR_MS)).toISOString();
    }
    const least = Math.max(minLength, 1);
    const most = Math.max(least, Math.min(maxLength, this.#charactersMax));
    return text(random, Math.floor(random.log(least, most + 1)));
  }

  /** Returns a number with up to two decimals. */
  #number({ minimum = 0, maximum = INTEGER_MAX }: Schema): number {
    const [first, last] = [Math.ceil(minimum * HUNDREDTHS), Math.floor(maximum * HUNDREDTHS)];
    return this.#random.int(first, last) / HUNDREDTHS;
  }

  #object(schema: Schema, optional: boolean): JsonObject {
    const random = this.#random;
    const { properties = {}, required = [], additionalProperties: open } = schema;
    const entries: [string, Json][] = [];
    for (const [name, property] of Object.entries(properties)) {
      const present = required.includes(name) || (optional && random.chance(PRESENT_SHARE));
      if (present) entries.push([name, this.#property(property)]);
    }
    if (typeof open === 'object') {
      const names = random.shuffled(NAMES).slice(0, random.int(1, OPEN_PROPERTIES_MAX));
      for (const name of names) entries.push([name, this.value(open)]);
    }
    return Object.fromEntries(random.shuffled(entries));
  }

  /** Arrays below objects start with their minimum: the events’ size decides on their growth. */
  #property(schema: Schema): Json {
    return isGrowing(schema)
      ? this.value({ ...schema, maxItems: schema.minItems ?? 0 })
      : this.value(schema);
  }

  #resolve(reference: string): Schema {
    const name = reference.replace('#/definitions/', '');
    const found = this.#document.definitions?.[name];
    if (found === undefined) throw new Error(`no schema ${reference}`);
    return found;
  }
}

/** An array that takes up the size of an event. */
export interface Growing {
  readonly list: Json[];
  readonly schema: Schema;
  /** Number of objects and arrays around its items. */
  readonly level: number;
}

/** Items above which an array grows with the size of its event. */
const GROWING_ITEMS = 16;

function isGrowing({ type, maxItems = 0 }: Schema): boolean {
  return type === 'array' && maxItems > GROWING_ITEMS;
}

/** Returns the arrays of an event that may grow. */
export function growingIn(value: Json, schema: Schema, level = 1): Growing[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const inner = (value as JsonObject)[name];
    if (inner === undefined) return [];
    if (!isGrowing(property)) return growingIn(inner, property, level + 1);
    return [{ list: inner as Json[], schema: property, level: level + 1 }];
  });
}

function uuid(random: SeededRandom): string {
  const digits = (count: number) =>
    Array.from({ length: count }, () => random.int(0, 15).toString(16)).join('');
  const variant = random.pick(['8', '9', 'a', 'b']);
  return `${digits(8)}-${digits(4)}-4${digits(3)}-${variant}${digits(3)}-${digits(12)}`;
}
