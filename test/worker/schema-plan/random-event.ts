/** Random texts of events: most values follow a schema, some deviate. */
import type { Random } from './random.ts';
import { NAMES, type Schema, TEXTS } from './random-schema.ts';

const NUMBERS = [
  ...['0', '-0', '0.0', '1', '1.0', '1e0', '10e-1', '2', '3', '-1', '1e3', '1000.0', '0.1', '0.3'],
  ...['0.30000000000000004', '1.5', '-2.5', '100', '2147483648', '2147483647', '-2147483649'],
  ...['9007199254740993', '12345678901234567890', '1e21', '1e400', '-1e400', '1e-400', '0.7'],
  ...['1E+2', '123456789.123456789', '0.01', '4.35', '1e308', '1.7976931348623157e308'],
];
const DEPTH_MAX = 6;

/** Returns the text of an event for a schema. */
export function randomEvent(root: Record<string, unknown>, random: Random): string {
  return new Generator(root, random).value(root, 0, true);
}

class Generator {
  readonly #root: Record<string, unknown>;
  readonly #random: Random;

  constructor(root: Record<string, unknown>, random: Random) {
    this.#root = root;
    this.#random = random;
  }

  /** @param isObject the event itself */
  value(schema: Schema, depth: number, isObject = false): string {
    const random = this.#random;
    // A recursive schema may require values without end.
    if (depth > 2 * DEPTH_MAX) return 'null';
    const merged = this.#merged(schema, 0);
    if (!isObject && random.chance(0.04)) return this.#any(depth);
    const list = [merged.const ?? merged.enum ?? []].flat() as unknown[];
    if (!isObject && list.length > 0 && random.chance(0.9)) return this.#write(random.pick(list));
    const types = isObject ? ['object'] : ([merged.type ?? []].flat() as string[]);
    const type = types.length > 0 ? random.pick(types) : this.#likelyType(merged);
    switch (type) {
      case 'object':
        return this.#object(merged, depth);
      case 'array':
        return this.#array(merged, depth);
      case 'string':
        return this.text(this.#textFor(merged));
      case 'number':
      case 'integer':
        return this.#number(merged);
      case 'boolean':
        return random.pick(['true', 'false']);
      default:
        return 'null';
    }
  }

  #likelyType(schema: Record<string, unknown>): string {
    if (schema.properties !== undefined || schema.required !== undefined) return 'object';
    if (schema.items !== undefined) return 'array';
    if (schema.pattern !== undefined || schema.format !== undefined) return 'string';
    if (schema.minimum !== undefined) return 'number';
    return this.#random.pick(['object', 'array', 'string', 'number', 'boolean', 'null']);
  }

  /** Merges references and one branch of each combination, without conflicts in mind. */
  #merged(schema: Schema, depth: number): Record<string, unknown> {
    if (typeof schema !== 'object' || schema === null || depth > DEPTH_MAX) return {};
    const merged: Record<string, unknown> = { ...schema };
    const reference = merged.$ref;
    const parts: Schema[] = [];
    if (typeof reference === 'string') {
      const name = reference.slice('#/definitions/'.length);
      const definitions = this.#root.definitions as Record<string, Schema>;
      parts.push(reference === '#' ? this.#root : (definitions[name] ?? true));
    }
    parts.push(...((merged.allOf ?? []) as Schema[]));
    for (const keyword of ['anyOf', 'oneOf']) {
      if (Array.isArray(merged[keyword]))
        parts.push(this.#random.pick(merged[keyword] as Schema[]));
    }
    if (this.#random.chance(0.5) && merged.then !== undefined) parts.push(merged.then as Schema);
    for (const part of parts) {
      const { properties, required, ...others } = this.#merged(part, depth + 1);
      Object.assign(merged, { ...others, ...merged });
      merged.properties = { ...(properties as object), ...(merged.properties as object) };
      merged.required = [...((required ?? []) as []), ...((merged.required ?? []) as [])];
    }
    return merged;
  }

  #object(schema: Record<string, unknown>, depth: number): string {
    const random = this.#random;
    const properties = new Map(Object.entries((schema.properties ?? {}) as Record<string, Schema>));
    const others = (schema.additionalProperties ?? true) as Schema;
    const required = new Set((schema.required ?? []) as string[]);
    const wanted = [...properties.keys()].filter(
      (name) => !required.has(name) && random.chance(depth < DEPTH_MAX ? 0.4 : 0),
    );
    const names = [...random.some([...required], 0.98), ...wanted];
    const isOpen = schema.additionalProperties !== false && schema.unevaluatedProperties !== false;
    while (random.chance(isOpen ? 0.3 : 0.03)) names.push(random.pick(NAMES));
    if (random.chance(0.5)) names.sort(() => random.next() - 0.5);
    const isDuplicate = random.chance(0.02);
    const unique = isDuplicate ? names : [...new Set(names)];
    const members = unique.map((name) => {
      const value = this.value(properties.get(name) ?? others, depth + 1);
      return `${this.text(name)}${this.#blank()}:${this.#blank()}${value}`;
    });
    return `{${this.#blank()}${members.join(`${this.#blank()},${this.#blank()}`)}${this.#blank()}}`;
  }

  #array(schema: Record<string, unknown>, depth: number): string {
    const random = this.#random;
    const { items, prefixItems, minItems = 0, maxItems = 3 } = schema as Record<string, never>;
    const prefix = (prefixItems ?? (Array.isArray(items) ? items : [])) as Schema[];
    const rest = (
      Array.isArray(items) ? (schema.additionalItems ?? true) : (items ?? true)
    ) as Schema;
    const span = Math.max(0, Number(maxItems) - Number(minItems)) + 1;
    const isDeep = depth >= DEPTH_MAX;
    const length =
      Number(minItems) + (isDeep ? 0 : random.below(span)) + (random.chance(0.03) ? 1 : 0);
    const values = Array.from({ length }, (_, index) =>
      this.value(prefix[index] ?? rest, depth + 1),
    );
    return `[${this.#blank()}${values.join(`${this.#blank()},${this.#blank()}`)}${this.#blank()}]`;
  }

  #number(schema: Record<string, unknown>): string {
    const random = this.#random;
    const bound = random.pick(['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum']);
    const value = schema[bound];
    if (typeof value === 'number' && random.chance(0.5)) {
      return String(value + random.pick([0, 1, -1, 0.5]));
    }
    const { multipleOf } = schema;
    if (typeof multipleOf === 'number' && random.chance(0.8)) {
      return String(multipleOf * random.below(1000));
    }
    return random.chance(0.6) ? String(random.below(200) - 50) : random.pick(NUMBERS);
  }

  #textFor({ pattern, format, minLength = 0, maxLength }: Record<string, unknown>): string {
    const random = this.#random;
    if (pattern !== undefined || format !== undefined || random.chance(0.5))
      return random.pick(TEXTS);
    const max = typeof maxLength === 'number' ? maxLength : 8;
    const length = Number(minLength) + random.below(Math.max(1, max - Number(minLength) + 2));
    return random.pick(['a', 'é', '😀', 'ab']).repeat(length);
  }

  #any(depth: number): string {
    const random = this.#random;
    if (depth > 2) return random.pick(NUMBERS);
    return random.pick([
      () => random.pick(['true', 'false', 'null']),
      () => random.pick(NUMBERS),
      () => this.text(random.pick(TEXTS)),
      () => this.#array({}, depth + 1),
      () => this.#object({ properties: { a: true, b: true } }, depth + 1),
      () => '{}',
      () => '[]',
    ])();
  }

  #write(value: unknown): string {
    if (typeof value === 'string') return this.text(value);
    if (typeof value !== 'number') return JSON.stringify(value);
    const text = Object.is(value, -0) ? '-0' : String(value);
    return Number.isInteger(value) && !/e/.test(text) && this.#random.chance(0.2)
      ? `${text}.0`
      : text;
  }

  /** Writes a string, sometimes with escapes. */
  text(value: string): string {
    const random = this.#random;
    const text = JSON.stringify(value);
    if (!random.chance(0.05)) return text;
    if (text.includes('\\')) return text;
    return text.replace(/[^"]/g, (unit) =>
      random.chance(0.5) ? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}` : unit,
    );
  }

  #blank(): string {
    return this.#random.chance(0.05) ? this.#random.pick([' ', '\n', '\t', '  ']) : '';
  }
}
