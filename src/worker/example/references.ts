/** Resolves `$ref`, `$dynamicRef` and `$recursiveRef` within a schema. */
import { isObject, type JsonObject } from '../../common/json-object.ts';
import { follow } from '../intake/json-pointer.ts';

export type Schema = JsonObject | boolean;

const BASE = 'schema://example/';
/** Keywords whose values are data, not schemas. */
const DATA = new Set(['const', 'default', 'enum', 'example', 'examples']);

export function isSchema(value: unknown): value is Schema {
  return typeof value === 'boolean' || isObject(value);
}

export class References {
  /** Base URIs of schemas, for their relative references. */
  readonly #bases = new WeakMap<object, string>();
  /** Schemas with an `$id` or an anchor, by URI. */
  readonly #byUri = new Map<string, JsonObject>();
  /** Draft-04 has `id` instead of `$id`. */
  readonly #idKeyword: '$id' | 'id';

  constructor(root: JsonObject) {
    this.#idKeyword = String(root.$schema).includes('draft-04') ? 'id' : '$id';
    this.#byUri.set(BASE, root);
    this.#collect(root, BASE);
  }

  /** Returns the target of a schema's reference; undefined = none within the root. */
  follow(schema: JsonObject): Schema | undefined {
    const { $ref, $dynamicRef, $recursiveRef } = schema;
    const reference = $ref ?? $dynamicRef ?? $recursiveRef;
    if (typeof reference !== 'string') return undefined;
    const uri = resolved(reference, this.#bases.get(schema) ?? BASE);
    const [document = '', fragment = ''] = uri.split('#');
    if (!fragment.startsWith('/')) return this.#byUri.get(fragment === '' ? document : uri);
    const [found] = follow(fragment, this.#byUri.get(document)) ?? [];
    return isSchema(found) ? found : undefined;
  }

  #collect(value: unknown, base: string): void {
    if (Array.isArray(value)) for (const item of value) this.#collect(item, base);
    if (!isObject(value)) return;
    let innerBase = base;
    const id = value[this.#idKeyword];
    if (typeof id === 'string') {
      const uri = resolved(id, base).replace(/#$/, '');
      this.#byUri.set(uri, value);
      if (!uri.includes('#')) innerBase = uri;
    }
    for (const anchor of [value.$anchor, value.$dynamicAnchor]) {
      if (typeof anchor === 'string') this.#byUri.set(`${innerBase}#${anchor}`, value);
    }
    this.#bases.set(value, innerBase);
    for (const [keyword, inner] of Object.entries(value)) {
      if (!DATA.has(keyword)) this.#collect(inner, innerBase);
    }
  }
}

function resolved(reference: string, base: string): string {
  return URL.canParse(reference, base) ? new URL(reference, base).href : reference;
}
