/** Detects schemas that no event can match, by their top-level keywords. */
import { isObject, type JsonObject } from '../../common/json-object.ts';
import { ANNOTATIONS } from './annotations.ts';
import type { Compiler } from './drafts.ts';
import { targetOf } from './json-pointer.ts';

/**
 * Finds a keyword that no JSON object satisfies, in schemas that apply to the event itself. Schemas
 * of properties are not examined, nor contradictions between several schemas.
 * @param compiler the compiler that has compiled the schema: other keywords have no effect
 * @returns a message that begins with the JSON pointer; undefined = none found
 */
export function obstacleToObjects(schema: JsonObject, compiler: Compiler): string | undefined {
  return new Search(schema, compiler).obstacle(schema, '');
}

class Search {
  readonly #root: JsonObject;
  readonly #compiler: Compiler;
  readonly #seen = new Set<unknown>();

  constructor(root: JsonObject, compiler: Compiler) {
    this.#root = root;
    this.#compiler = compiler;
  }

  /** @param pointer of the schema */
  obstacle(schema: unknown, pointer: string): string | undefined {
    if (schema === false) return `${pointer} is false`;
    if (!isObject(schema) || this.#seen.has(schema)) return undefined;
    this.#seen.add(schema);
    const value = (keyword: string) =>
      Object.hasOwn(schema, keyword) && Object.hasOwn(this.#compiler.RULES.keywords, keyword)
        ? schema[keyword]
        : undefined;
    const at = (keyword: string, problem: string) => `${pointer}/${keyword} ${problem}`;
    const [type, constant, values, not] = ['type', 'const', 'enum', 'not'].map(value);
    if (type !== undefined && !allowsObject(type)) return at('type', 'allows no object');
    if (constant !== undefined && !isObject(constant)) return at('const', 'is not an object');
    if (Array.isArray(values) && !values.some(isObject)) return at('enum', 'contains no object');
    if (matchesAnyObject(not)) return at('not', 'excludes every object');
    const properties = value('properties');
    const isClosed =
      value('additionalProperties') === false &&
      Object.keys(value('patternProperties') ?? {}).length === 0;
    const required = listOf(value('required'));
    for (const [index, name] of required.entries()) {
      const isDeclared = isObject(properties) && Object.hasOwn(properties, String(name));
      if (isDeclared ? properties[String(name)] === false : isClosed)
        return at(`required/${index}`, 'requires a property that is not allowed');
    }
    const min = numberOr(value('minProperties'), 0);
    const max = numberOr(value('maxProperties'), Number.POSITIVE_INFINITY);
    if (min > max) return at('minProperties', `exceeds maxProperties, ${max}`);
    const names = new Set(required).size;
    if (names > max) return at('required', `has more names than maxProperties, ${max}`);
    if (names > 0 && value('propertyNames') === false) {
      return at('propertyNames', 'allows no property, but some are required');
    }
    const declared = Object.keys(properties ?? {}).length;
    if (isClosed && min > declared) {
      return at('minProperties', `exceeds the number of allowed properties, ${declared}`);
    }
    return this.#conditional(value, pointer) ?? this.#inner(schema, pointer);
  }

  /** Examines `then` if every object matches `if`, or `else` if none does. */
  #conditional(value: (keyword: string) => unknown, pointer: string): string | undefined {
    const condition = value('if');
    if (condition === undefined) return undefined;
    if (matchesAnyObject(condition)) return this.obstacle(value('then'), `${pointer}/then`);
    const isNever = new Search(this.#root, this.#compiler).obstacle(condition, '') !== undefined;
    return isNever ? this.obstacle(value('else'), `${pointer}/else`) : undefined;
  }

  /** Examines inner schemas that apply to the same value. */
  #inner(schema: JsonObject, pointer: string): string | undefined {
    const target = targetOf(schema.$ref, this.#root);
    const found = target && this.obstacle(...target);
    if (found !== undefined) return found;
    for (const [index, branch] of listOf(schema.allOf).entries()) {
      const line = this.obstacle(branch, `${pointer}/allOf/${index}`);
      if (line !== undefined) return line;
    }
    for (const keyword of ['anyOf', 'oneOf']) {
      const branches = listOf(schema[keyword]);
      const at = `${pointer}/${keyword}`;
      const blocked = branches.filter((branch, index) => {
        return this.obstacle(branch, `${at}/${index}`) !== undefined;
      });
      if (branches.length > 0 && blocked.length === branches.length) {
        return `${at} allows no object in any of its schemas`;
      }
    }
    return undefined;
  }
}

function allowsObject(type: unknown): boolean {
  return [type].flat().includes('object');
}

/** Whether every object matches a schema. */
function matchesAnyObject(schema: unknown): boolean {
  if (schema === true) return true;
  if (!isObject(schema)) return false;
  const keywords = Object.keys(schema).filter((name) => !ANNOTATIONS.has(name));
  return keywords.every((name) => name === 'type' && allowsObject(schema.type));
}

function numberOr(value: unknown, other: number): number {
  return typeof value === 'number' ? value : other;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}
