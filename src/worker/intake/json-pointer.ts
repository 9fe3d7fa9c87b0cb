/** JSON pointers (RFC 6901) into a schema. */
import { isObject, type JsonObject } from '../../common/json-object.ts';

/** Maximum characters of a pointer in a line. */
const SHOWN_LENGTH_MAX = 300;

/** Escapes a name as a reference token of a pointer. */
export function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** Unescapes a reference token of a pointer in a URI. */
function unescaped(part: string): string {
  let text = part;
  try {
    text = decodeURIComponent(part);
  } catch {
    // A literal percent sign.
  }
  return text.replaceAll('~1', '/').replaceAll('~0', '~');
}

/**
 * Follows a pointer, given as the fragment of a URI.
 * @returns its target in `root`, with the pointer; undefined = none
 */
export function follow(fragment: string, root: unknown): [unknown, string] | undefined {
  let at = root;
  let pointer = '';
  for (const part of fragment.split('/').slice(1)) {
    const name = unescaped(part);
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as JsonObject)[name];
    pointer += `/${escaped(name)}`;
  }
  return [at, pointer];
}

/**
 * Returns the target of a `$ref`, with its pointer; undefined = not an object within `root`.
 * @param root the whole schema
 */
export function targetOf(ref: unknown, root: JsonObject): [JsonObject, string] | undefined {
  const [, base, path] = /^([^#]*)#((?:\/.*)?)$/s.exec(String(ref)) ?? [];
  if (path === undefined || (base !== '' && base !== root.$id && base !== root.id))
    return undefined;
  const [at, pointer] = follow(path, root) ?? [undefined, ''];
  return isObject(at) ? [at, pointer] : undefined;
}

/** Formats a pointer for a log line: its end, without control characters. */
export function shown(pointer: string): string {
  const isLong = pointer.length > SHOWN_LENGTH_MAX;
  const end = isLong ? `…${pointer.slice(1 - SHOWN_LENGTH_MAX)}` : pointer;
  return end.replace(/\p{Cc}/gu, ' ');
}
