/** JSON pointers (RFC 6901) within a schema. */
import type { JsonObject } from '../decoder/sink.ts';

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A name as a part of a pointer. */
export function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** The name that a part of a pointer in a URI stands for. */
function unescaped(part: string): string {
  let text = part;
  try {
    text = decodeURIComponent(part);
  } catch {
    // A percent sign that stands for itself.
  }
  return text.replaceAll('~1', '/').replaceAll('~0', '~');
}

/**
 * The schema that a `$ref` names, with its pointer; undefined = it is in no object of `root`.
 * @param root the whole schema
 */
export function targetOf(ref: unknown, root: JsonObject): [JsonObject, string] | undefined {
  const [, base, path] = /^([^#]*)#((?:\/.*)?)$/s.exec(String(ref)) ?? [];
  if (path === undefined || (base !== '' && base !== root.$id && base !== root.id))
    return undefined;
  let at: unknown = root;
  let pointer = '';
  for (const part of path.split('/').slice(1)) {
    const name = unescaped(part);
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as JsonObject)[name];
    pointer += `/${escaped(name)}`;
  }
  return isObject(at) ? [at, pointer] : undefined;
}
