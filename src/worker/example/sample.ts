/**
 * Generates values that probably match a schema. Some keywords, such as `not`, are ignored: the
 * caller validates each value and makes another attempt if it fails.
 */
import { isObject, type JsonObject } from '../../common/json-object.ts';
import { Choices } from './choices.ts';
import { flatten } from './flatten.ts';
import { numberFor } from './numbers.ts';
import { isSchema, type References, type Schema } from './references.ts';
import { textOfFormat, textOfPattern } from './texts.ts';

/** Maximum values of an attempt, since a recursive schema could be endless. */
const VALUES_MAX = 5_000;
const TEXT_MAX = 65_536;
/** Depth from which optional fields and items are omitted. */
const SPARSE_DEPTH = 4;
const DEPTH_MAX = 64;
/** Offsets of the salt, to find values that `not` does not exclude. */
const OFFSETS = [0, 1, -2, 9, -10, 999, -1_000];

/** Types of a value without constraints. */
const TYPES = ['string', 'number', 'boolean', 'object', 'array', 'null'];

/** Keywords that imply a type where `type` is missing. */
const IMPLIED_TYPES: readonly [type: string, keywords: RegExp][] = [
  ['object', /^(properties|required|\w*[pP]roperties|propertyNames|depend\w+)$/],
  ['array', /^(items|prefixItems|additionalItems|contains|minItems|maxItems|uniqueItems)$/],
  ['string', /^(pattern|format|minLength|maxLength)$/],
  ['number', /^(minimum|maximum|exclusiveM\w+|multipleOf)$/],
];

/** @throws RangeError for endless recursion; SyntaxError for an unsupported pattern */
export function sampleObject(
  schema: Schema,
  references: References,
  attempt: number,
): { event: JsonObject; values: number } {
  const sampler = new Sampler(references, new Choices(attempt));
  const value = sampler.value(schema, 0, 0, 'object');
  return { event: isObject(value) ? value : {}, values: sampler.values };
}

class Sampler {
  readonly #references: References;
  readonly #choices: Choices;
  /** Values so far. */
  values = 0;

  constructor(references: References, choices: Choices) {
    this.#references = references;
    this.#choices = choices;
  }

  /**
   * @param salted different values tend to give different results
   * @param wanted preferred type, if the schema allows several
   */
  value(schema: Schema, depth: number, salted: number, wanted?: string): unknown {
    if (++this.values > VALUES_MAX || depth > DEPTH_MAX)
      throw new RangeError('endless recursion in the schema');
    const flat = flatten(schema, this.#references, this.#choices);
    if (flat === undefined) return null;
    if (Object.hasOwn(flat, 'const')) return flat.const;
    const offset = flat.not === undefined ? 0 : OFFSETS[this.#choices.pick(OFFSETS.length)]!;
    const salt = salted + offset;
    const { enum: values } = flat;
    if (Array.isArray(values) && values.length > 0) {
      return values[Math.abs(this.#choices.pick(values.length) + salt) % values.length];
    }
    const given = givenValues(flat);
    const chosen = salt === 0 ? this.#choices.pick(given.length + 1) : salt;
    if (chosen >= 0 && chosen < given.length) return given[chosen];
    switch (wanted ?? this.#typeOf(flat)) {
      case 'object':
        return this.#object(flat, depth);
      case 'array':
        return this.#array(flat, depth);
      case 'integer':
        return numberFor(flat, true, salt);
      case 'number':
        return numberFor(flat, false, salt);
      case 'boolean':
        return (this.#choices.pick(2) + salt) % 2 === 0;
      case 'null':
        return null;
      default:
        return this.#text(flat, salt);
    }
  }

  #typeOf(flat: JsonObject): unknown {
    const types = [flat.type].flat().filter((type) => type !== undefined);
    if (types.length > 0) {
      const nonNull = types.filter((type) => type !== 'null');
      const ordered = [...nonNull, ...types.filter((type) => type === 'null')];
      return ordered[this.#choices.pick(ordered.length)];
    }
    const keywords = Object.keys(flat);
    const implied = IMPLIED_TYPES.find(([, pattern]) =>
      keywords.some((keyword) => pattern.test(keyword)),
    );
    return implied?.[0] ?? TYPES[this.#choices.pick(TYPES.length)];
  }

  #text(flat: JsonObject, salt: number): string {
    const { pattern, format } = flat;
    const min = Math.min(numberOf(flat.minLength, 0), TEXT_MAX);
    const max = numberOf(flat.maxLength, TEXT_MAX);
    if (typeof pattern === 'string') return textOfPattern(pattern, this.#choices, min);
    const formatted = salt === 0 ? textOfFormat(format) : undefined;
    if (formatted !== undefined && formatted.length >= min) return formatted;
    const tail = salt === 0 ? '' : String(Math.abs(salt));
    const text = `${(formatted ?? 'text').padEnd(min - tail.length, 'x')}${tail}`;
    return text.slice(Math.max(0, text.length - Math.max(max, 0)));
  }

  #array(flat: JsonObject, depth: number): unknown[] {
    const { items, prefixItems, contains } = flat;
    const tuple = [prefixItems, items].find((list) => Array.isArray(list)) ?? [];
    const rest = Array.isArray(items) ? flat.additionalItems : items;
    const needed = isSchema(contains) ? numberOf(flat.minContains, 1) : 0;
    const min = Math.max(numberOf(flat.minItems, 0), needed);
    const usual = depth < SPARSE_DEPTH ? Math.max(tuple.length, rest === undefined ? 0 : 1) : 0;
    const max = rest === false ? tuple.length : Number.POSITIVE_INFINITY;
    const count = Math.min(Math.max(min, usual), numberOf(flat.maxItems, max), max);
    return Array.from({ length: Math.min(count, VALUES_MAX) }, (_, index) => {
      const declared = tuple[index] ?? rest ?? true;
      const isContained = isSchema(contains) && index >= count - needed;
      const schema = isContained ? { allOf: [declared, contains] } : declared;
      const salt = flat.uniqueItems === true ? index : 0;
      return this.value(isSchema(schema) ? schema : true, depth + 1, salt);
    });
  }

  #object(schema: JsonObject, depth: number): JsonObject {
    const { flat, names } = this.#fieldsOf(schema, depth);
    const entries: [string, unknown][] = [];
    for (const name of names) {
      const field = fieldSchema(flat, name);
      if (field !== false) entries.push([name, this.value(field, depth + 1, 0)]);
    }
    const min = numberOf(flat.minProperties, 0);
    for (let extra = 1; entries.length < min && extra <= VALUES_MAX; extra++) {
      const name = this.#newName(flat, extra);
      const field = fieldSchema(flat, name);
      if (field === false || names.includes(name)) continue;
      if (entries.some(([taken]) => taken === name)) continue;
      entries.push([name, this.value(field, depth + 1, 0)]);
    }
    return Object.fromEntries(entries);
  }

  /** Selects field names in their declared order, and adds the keywords that they imply. */
  #fieldsOf(schema: JsonObject, depth: number): { flat: JsonObject; names: string[] } {
    let flat = schema;
    const isFull = depth < SPARSE_DEPTH ? this.#choices.pick(3) : 1;
    const optional = Object.keys(recordOf(schema.properties)).filter(
      () => isFull === 0 || (isFull === 2 && this.#choices.pick(2) === 0),
    );
    const names = new Set([...requiredOf(schema), ...optional]);
    for (const name of names) {
      for (const more of dependentOn(flat, name)) {
        if (Array.isArray(more)) for (const other of more) names.add(String(other));
        else if (isSchema(more)) {
          flat = flatten({ allOf: [flat, more] }, this.#references, this.#choices) ?? flat;
          for (const other of requiredOf(flat)) names.add(other);
        }
      }
    }
    const required = requiredOf(flat);
    const max = Math.max(numberOf(flat.maxProperties, names.size), required.length);
    for (const name of [...names].reverse()) {
      if (names.size > max && !required.includes(name)) names.delete(name);
    }
    const declared = Object.keys(recordOf(flat.properties)).filter((name) => names.has(name));
    return { flat, names: [...new Set([...declared, ...names])] };
  }

  #newName(flat: JsonObject, number: number): string {
    const { propertyNames } = flat;
    const patterns = Object.keys(recordOf(flat.patternProperties));
    if (isSchema(propertyNames) && propertyNames !== true) {
      return String(this.value(propertyNames, DEPTH_MAX, number, 'string'));
    }
    if (flat.additionalProperties !== false || patterns.length === 0) return `field${number}`;
    return textOfPattern(patterns[number % patterns.length]!, this.#choices, number);
  }
}

/** Values given by the schema: examples and defaults. */
function givenValues(flat: JsonObject): unknown[] {
  const given = Array.isArray(flat.examples) ? [...flat.examples] : [];
  for (const keyword of ['example', 'default']) {
    if (Object.hasOwn(flat, keyword)) given.push(flat[keyword]);
  }
  return given;
}

/** Returns the schema of a field; false = the field is not allowed. */
function fieldSchema(flat: JsonObject, name: string): Schema {
  const properties = recordOf(flat.properties);
  const parts: unknown[] = Object.hasOwn(properties, name) ? [properties[name]] : [];
  for (const [pattern, schema] of Object.entries(recordOf(flat.patternProperties))) {
    if (new RegExp(pattern, 'u').test(name)) parts.push(schema);
  }
  if (parts.length === 0) parts.push(flat.additionalProperties ?? true);
  const schemas = parts.filter(isSchema);
  if (schemas.includes(false)) return false;
  return schemas.length === 1 ? schemas[0]! : { allOf: schemas };
}

/** Returns field names and schemas that the presence of a field requires. */
function dependentOn(flat: JsonObject, name: string): unknown[] {
  return [flat.dependencies, flat.dependentRequired, flat.dependentSchemas].flatMap((all) =>
    isObject(all) && Object.hasOwn(all, name) ? [all[name]] : [],
  );
}

function requiredOf(flat: JsonObject): string[] {
  return Array.isArray(flat.required) ? flat.required.map(String) : [];
}

function recordOf(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

function numberOf(value: unknown, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise;
}
