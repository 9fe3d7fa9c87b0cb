/** Limits of a schema's size and of its references, checked before it is compiled. */
import { isObject, type JsonObject } from '../../common/json-object.ts';
import { SCHEMA_LIMITS } from '../../config/schema-limits.ts';
import type { Compiler } from './drafts.ts';
import { escaped, shown, targetOf } from './json-pointer.ts';
import { isApplied, schemasIn } from './subschemas.ts';

/** Keywords whose schemas apply to the same value: a schema, a list of schemas, or named ones. */
const IN_PLACE = ['allOf', 'anyOf', 'oneOf', 'not', 'if', 'then', 'else'];
const IN_PLACE_NAMED = ['dependentSchemas', 'dependencies'];
/** Keywords that refer to another schema for the same value. */
const REFERENCES = ['$ref', '$dynamicRef', '$recursiveRef'];

/** A schema in a file, with its JSON pointer. */
export type Located = readonly [schema: JsonObject, pointer: string];

/**
 * Checks that compiling and applying a schema takes bounded time.
 * @param root a parsed file
 * @returns every schema in it that can apply
 * @throws Error whose message continues "the file …", with the JSON pointer of the first problem
 */
export function checkShape(root: JsonObject, compiler: Compiler): readonly Located[] {
  checkDepth(root);
  const { subschemas: max } = SCHEMA_LIMITS;
  const schemas: Located[] = [];
  const seen = new Set<object>();
  const waiting: Located[] = [[root, '']];
  for (const located of waiting) {
    const [schema, pointer] = located;
    if (seen.has(schema)) continue;
    seen.add(schema);
    schemas.push(located);
    if (schemas.length > max) {
      throw new Error(`has more than ${max} schemas: ${shown(pointer)} exceeds the limit`);
    }
    waiting.push(...schemasIn(schema, pointer, compiler));
    const target = targetOf(schema.$ref, root);
    if (target !== undefined) waiting.push(target);
  }
  new InPlace(root, schemas, compiler).check();
  return schemas;
}

function named(pointer: string): string {
  return pointer === '' ? 'the root' : shown(pointer);
}

/** Without recursion, since a deep file must not overflow the stack. */
function checkDepth(root: JsonObject): void {
  const { depth: max } = SCHEMA_LIMITS;
  let level: (readonly [value: object, pointer: string])[] = [[root, '']];
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > max) throw new Error(`is nested deeper than ${max} levels: ${shown(level[0]![1])}`);
    const next: (readonly [object, string])[] = [];
    for (const [value, pointer] of level) {
      for (const [name, inner] of Object.entries(value)) {
        if (typeof inner !== 'object' || inner === null) continue;
        next.push([inner as object, `${pointer}/${escaped(name)}`]);
      }
    }
    level = next;
  }
}

/** Counts the schemas that apply to one value, by following those that apply in place. */
class InPlace {
  readonly #root: JsonObject;
  readonly #schemas: readonly Located[];
  readonly #compiler: Compiler;
  readonly #anchors = new Map<string, Located>();
  /** Applied schemas, itself included; 0 = being counted. */
  readonly #counts = new Map<object, number>();

  constructor(root: JsonObject, schemas: readonly Located[], compiler: Compiler) {
    this.#root = root;
    this.#schemas = schemas;
    this.#compiler = compiler;
    for (const located of schemas) {
      const [{ $anchor, $dynamicAnchor, $id, id }] = located;
      for (const name of [$anchor, $dynamicAnchor].filter((text) => typeof text === 'string')) {
        this.#anchors.set(`#${name}`, located);
      }
      for (const name of [$id, id].filter((text) => typeof text === 'string')) {
        if (name.startsWith('#')) this.#anchors.set(name, located);
      }
    }
  }

  check(): void {
    for (const [schema, pointer] of this.#schemas) this.#count(schema, pointer, 0);
  }

  #count(schema: JsonObject, pointer: string, depth: number): number {
    const known = this.#counts.get(schema);
    if (known === 0) {
      throw new Error(
        `refers to itself without end: ${named(pointer)} applies to a value again ` +
          'before it applies to a part of it',
      );
    }
    if (known !== undefined) return known;
    const { evaluations: max, depth: depthMax } = SCHEMA_LIMITS;
    if (depth > depthMax) {
      throw new Error(`has a chain of more than ${depthMax} references at ${shown(pointer)}`);
    }
    this.#counts.set(schema, 0);
    let count = 1;
    for (const [inner, at] of this.#applied(schema, pointer)) {
      count += this.#count(inner, at, depth + 1);
    }
    if (count > max) {
      const text = `applies ${count} schemas to one value, the maximum is ${max}`;
      throw new Error(`is too expensive: ${named(pointer)} ${text}`);
    }
    this.#counts.set(schema, count);
    return count;
  }

  #applied(schema: JsonObject, pointer: string): Located[] {
    const found: Located[] = [];
    const add = (value: unknown, at: string) => {
      if (isObject(value)) found.push([value, at]);
    };
    const addAll = (values: object, at: string) => {
      for (const [name, value] of Object.entries(values)) add(value, `${at}/${escaped(name)}`);
    };
    const has = (keyword: string) =>
      Object.hasOwn(schema, keyword) && isApplied(keyword, this.#compiler);
    for (const keyword of REFERENCES.filter(has)) {
      const reference = schema[keyword];
      const target = this.#anchors.get(String(reference)) ?? targetOf(reference, this.#root);
      if (target !== undefined) found.push(target);
    }
    for (const keyword of IN_PLACE.filter(has)) {
      const value = schema[keyword];
      if (Array.isArray(value)) addAll(value, `${pointer}/${keyword}`);
      else add(value, `${pointer}/${keyword}`);
    }
    for (const keyword of IN_PLACE_NAMED.filter(has)) {
      const value = schema[keyword];
      if (isObject(value)) addAll(value, `${pointer}/${keyword}`);
    }
    return found;
  }
}
