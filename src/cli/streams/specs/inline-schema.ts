/** A JSON Schema as a part of another document. */
import { isObject, type JsonObject } from '../../../common/json-object.ts';

export interface InlineSchema {
  /** `$schema` of the draft. */
  readonly draft: string;
  /**
   * Returns the schema for its place in a document: its local references lead there.
   * @param pointer JSON Pointer of the place, such as `#/components/schemas/a`
   */
  at(pointer: string): JsonObject;
}

/** Keywords whose values are data, not schemas. */
const DATA = ['const', 'default', 'enum', 'example', 'examples'];
/** Keywords whose value is an object of schemas, with names that are not keywords. */
const NAMED = [
  ...['$defs', 'definitions', 'dependencies', 'dependentSchemas'],
  ...['patternProperties', 'properties'],
];

/** @param schema has `$schema`; its own `$id` is dropped, since its place identifies it */
export function inlineSchema(schema: JsonObject): InlineSchema {
  const { $id, id, ...rest } = schema;
  const draft = spelled(String(schema.$schema));
  const own = [$id, id].filter((text) => typeof text === 'string').map(withoutFragment);
  return {
    draft,
    at: (pointer) => moved({ ...rest, $schema: draft }, pointer, own) as JsonObject,
  };
}

function moved(schema: unknown, pointer: string, own: readonly string[]): unknown {
  if (Array.isArray(schema)) return schema.map((item) => moved(item, pointer, own));
  if (!isObject(schema)) return schema;
  const entries = Object.entries(schema).map(([keyword, value]) => {
    if (DATA.includes(keyword)) return [keyword, value];
    if (keyword === '$ref' && typeof value === 'string') {
      return [keyword, movedReference(value, pointer, own)];
    }
    if (!NAMED.includes(keyword) || !isObject(value)) return [keyword, moved(value, pointer, own)];
    const named = Object.entries(value).map(([name, inner]) => [name, moved(inner, pointer, own)]);
    return [keyword, Object.fromEntries(named)];
  });
  return Object.fromEntries(entries);
}

/** References by name (`#anchor`) and to other documents stay. */
function movedReference(reference: string, pointer: string, own: readonly string[]): string {
  const [document = '', fragment = ''] = reference.split('#', 2);
  const isLocal = document === '' || own.includes(document);
  if (!isLocal || (fragment !== '' && !fragment.startsWith('/'))) return reference;
  return `${pointer}${fragment}`;
}

/** The identifiers of drafts up to 07 end with an empty fragment. */
function spelled(draft: string): string {
  return /draft-0\d\/schema$/.test(draft) ? `${draft}#` : draft;
}

function withoutFragment(uri: string): string {
  return uri.split('#', 1)[0]!;
}
