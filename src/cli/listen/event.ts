/** Paths in an event. */
import type { JsonObject } from '../../common/json-object.ts';

/**
 * Returns the value in `event` at `path`: a field name, or names (indices in arrays) joined by
 * dots. A field whose own name contains the dots takes precedence. Undefined if there is none.
 */
export function fieldAt(event: unknown, path: string): unknown {
  if (!hasFields(event)) return undefined;
  if (Object.hasOwn(event, path)) return event[path];
  for (let dot = path.indexOf('.'); dot >= 0; dot = path.indexOf('.', dot + 1)) {
    const head = path.slice(0, dot);
    if (!Object.hasOwn(event, head)) continue;
    const found = fieldAt(event[head], path.slice(dot + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** True for arrays as well: an index is a name in a path. */
function hasFields(value: unknown): value is JsonObject {
  return value !== null && typeof value === 'object';
}
