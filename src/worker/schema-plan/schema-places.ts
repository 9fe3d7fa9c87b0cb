/** Schemas at their places in a file: each has the scope in which its references resolve. */
import type { ValidateFunction } from 'ajv';
import { isObject, type JsonObject } from '../../common/json-object.ts';
import type { CompiledSchema } from '../intake/compile-schema.ts';
import type { Compiler } from '../intake/drafts.ts';
import { escaped } from '../intake/json-pointer.ts';

type SchemaEnv = ValidateFunction['schemaEnv'];
/** Part of a URI that ajv ignores. */
const EMPTY_FRAGMENT = /#\/?$/;

/** Document, and base of relative references. */
interface Scope {
  readonly root: SchemaEnv;
  readonly baseId: string;
}

/** A schema that applies to a value. Equal places are the same object. */
export interface Place {
  readonly id: number;
  /** An object or a boolean; any other value is no schema. */
  readonly schema: unknown;
  readonly scope: Scope;
  /** JSON pointer in the file, of the reference to it if it is in another one. */
  readonly pointer: string;
}

/** Part of a schema that leaves values undecided. */
export interface SlowPart {
  /** JSON pointer of a keyword. */
  readonly pointer: string;
  /** Continues the pointer: "uses lookahead". */
  readonly why: string;
}

/** A compiled schema, as far as its plan depends on it. */
export type PlannedSchema = Pick<CompiledSchema, 'schema' | 'compiler' | 'validate'>;

/** Places of one compiled schema. References lead where ajv has resolved them. */
export class SchemaPlaces {
  readonly root: Place;
  readonly compiler: Compiler;
  readonly #byScope = new Map<string, Map<unknown, Place>>();
  readonly #documents = new Map<SchemaEnv, number>();
  #count = 0;

  constructor({ schema, compiler, validate }: PlannedSchema) {
    this.compiler = compiler;
    const root = validate.schemaEnv;
    this.root = this.#at(schema, { root, baseId: root.baseId }, '');
  }

  /** Returns the value of a keyword; undefined = absent, or without effect in the draft. */
  valueOf(place: Place, keyword: string): unknown {
    const { schema } = place;
    if (!isObject(schema) || !Object.hasOwn(schema, keyword)) return undefined;
    return isObject(this.compiler.RULES.all[keyword]) ? schema[keyword] : undefined;
  }

  /** Returns the place of a schema within another one, by the path to it. */
  inner(place: Place, ...path: readonly (string | number)[]): Place {
    let { schema, pointer } = place;
    for (const name of path) {
      schema = (schema as JsonObject)[name];
      pointer += `/${escaped(String(name))}`;
    }
    return this.#at(schema, this.#scopeIn(schema, place.scope), pointer);
  }

  /** Returns a place of a schema that is not in the file, but applies instead of parts of it. */
  derived(schema: JsonObject | boolean, { scope, pointer }: Place): Place {
    return this.#at(schema, scope, pointer);
  }

  /** Returns the target of the `$ref` at a place; undefined = unknown. */
  target({ schema, scope, pointer }: Place): Place | undefined {
    const reference = (schema as JsonObject).$ref;
    if (typeof reference !== 'string') return undefined;
    const { root, baseId } = scope;
    const at = `${pointer}/$ref`;
    if ((reference === '#' || reference === '#/') && baseId === root.baseId) {
      return this.#at(root.schema, { root, baseId: root.baseId }, this.#pointerOf(root.schema, at));
    }
    const found = root.refs[this.#uri(baseId, reference)];
    if (found === undefined) return undefined;
    const Environment = root.constructor as new () => SchemaEnv;
    if (!(found instanceof Environment)) {
      return this.#at(found, scope, this.#pointerOf(found, at));
    }
    const target = { root: found.root, baseId: found.baseId };
    return this.#at(found.schema, target, this.#pointerOf(found.schema, at));
  }

  /** Returns the schema that a place stands for: where its `$ref` leads, if that is all it has. */
  referred(place: Place): Place {
    const passed = new Set<Place>();
    let at = place;
    while (this.#isReference(at) && !passed.has(at)) {
      passed.add(at);
      at = this.target(at) ?? at;
    }
    return at;
  }

  /** Whether `$ref` is the only keyword of a schema that has an effect. */
  #isReference({ schema }: Place): boolean {
    if (!isObject(schema) || !Object.hasOwn(schema, '$ref')) return false;
    const { all } = this.compiler.RULES;
    return Object.keys(schema).every((name) => name === '$ref' || !Object.hasOwn(all, name));
  }

  /** Resolves a reference as ajv does. */
  #uri(baseId: string, reference: string): string {
    const { uriResolver } = this.compiler.opts;
    return uriResolver.resolve(baseId, reference.replace(EMPTY_FRAGMENT, ''));
  }

  #scopeIn(schema: unknown, scope: Scope): Scope {
    const id = isObject(schema) ? schema[this.compiler.opts.schemaId] : undefined;
    if (typeof id !== 'string' || id === '') return scope;
    return { root: scope.root, baseId: this.#uri(scope.baseId, id) };
  }

  #at(schema: unknown, scope: Scope, pointer: string): Place {
    const { root, baseId } = scope;
    const document = this.#documents.get(root) ?? this.#documents.size;
    this.#documents.set(root, document);
    const key = `${document} ${baseId}`;
    const places = this.#byScope.get(key) ?? new Map<unknown, Place>();
    this.#byScope.set(key, places);
    let place = places.get(schema);
    if (place === undefined) {
      place = { id: this.#count++, schema, scope, pointer };
      places.set(schema, place);
    }
    return place;
  }

  readonly #pointers = new Map<unknown, string>();

  /** @param other pointer of a schema that is not in the file */
  #pointerOf(schema: unknown, other: string): string {
    if (this.#pointers.size === 0) this.#index(this.root.schema, '');
    return this.#pointers.get(schema) ?? other;
  }

  #index(value: unknown, pointer: string): void {
    if (typeof value !== 'object' || value === null) return;
    this.#pointers.set(value, pointer);
    for (const [name, part] of Object.entries(value)) {
      this.#index(part, `${pointer}/${escaped(name)}`);
    }
  }
}
