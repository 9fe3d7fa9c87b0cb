/** Events generated from the example of the gateway. */

/** Varying values, by the gateway's names for them. */
export function valuesOf(name, number) {
  return {
    name,
    number,
    id: `${name}-${number}`,
    uuid: randomUuid(),
    ms: Date.now(),
    time: new Date().toISOString(),
    text: `event ${number}`,
  };
}

/** Variations that identify an event. */
const IDENTIFYING = new Set(['id', 'number', 'uuid']);

/** @returns a copy of the example with `values` in its varying fields */
export function fill({ event, vary }, values) {
  const filled = structuredClone(event);
  for (const { path, as } of vary) put(filled, path, values[as]);
  return filled;
}

/** Initial text of the user's own event; without the id if the page adds one. */
export function draftOf({ event, vary }, name) {
  const own = { ...valuesOf(name, 0), text: 'my own event' };
  const rest = vary.filter(({ as }) => !IDENTIFYING.has(as));
  const draft = fill({ event, vary: rest }, own);
  for (const { path, as } of vary) {
    const parent = IDENTIFYING.has(as) ? valueAt(draft, path.slice(0, -1)) : undefined;
    if (isObject(parent)) delete parent[path.at(-1)];
  }
  return draft;
}

/** Adds an id. @returns undefined if the event has one, or the schema allows none */
export function withId(event, { vary }, values) {
  const id = vary.find(({ as }) => IDENTIFYING.has(as));
  if (id === undefined || valueAt(event, id.path) !== undefined) return undefined;
  const { path } = id;
  if (path.length === 1) return { [path[0]]: values[id.as], ...event };
  const own = structuredClone(event);
  return put(own, path, values[id.as]) ? own : undefined;
}

/** Template from a stored event of the user, if the gateway has no example. */
export function templateOf(event, idField) {
  const path = pathOf(event, idField);
  const vary = typeof valueAt(event, path) === 'string' ? [{ path, as: 'id' }] : [];
  return { event, vary };
}

/** @returns the id of an event as text; '' = it has none */
export function idOf(event, idField) {
  return String(valueAt(event, pathOf(event, idField)) ?? '');
}

/** @returns the path of a field: a literal name, or names separated by dots */
function pathOf(event, field) {
  return Object.hasOwn(event, field) ? [field] : field.split('.');
}

function valueAt(event, path) {
  let at = event;
  for (const name of path) {
    if (!isObject(at) || !Object.hasOwn(at, name)) return undefined;
    at = at[name];
  }
  return at;
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Sets a field. @returns false if a value on the path is not an object */
function put(event, path, value) {
  let at = event;
  for (const name of path.slice(0, -1)) {
    if (!Object.hasOwn(at, name)) define(at, name, {});
    at = at[name];
    if (!isObject(at)) return false;
  }
  define(at, path.at(-1), value);
  return true;
}

/** Defines an own field, even one named `__proto__`. */
function define(object, name, value) {
  const field = { value, enumerable: true, configurable: true, writable: true };
  Object.defineProperty(object, name, field);
}

/** crypto.randomUUID requires a secure context, but this page may be served over plain HTTP. */
function randomUuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
