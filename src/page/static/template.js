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
  for (const { path, as } of vary) if (IDENTIFYING.has(as)) delete draft[path[0]];
  return draft;
}

/** Adds an id. @returns undefined if the event has one, or the schema allows none */
export function withId(event, { vary }, values) {
  const id = vary.find(({ as }) => IDENTIFYING.has(as));
  if (id === undefined || Object.hasOwn(event, id.path[0])) return undefined;
  return { [id.path[0]]: values[id.as], ...event };
}

/** Template from a stored event of the user, if the gateway has no example. */
export function templateOf(event, idField) {
  const vary = typeof event[idField] === 'string' ? [{ path: [idField], as: 'id' }] : [];
  return { event, vary };
}

function put(event, path, value) {
  let at = event;
  for (const name of path.slice(0, -1)) {
    if (!Object.hasOwn(at, name)) define(at, name, {});
    at = at[name];
  }
  define(at, path.at(-1), value);
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
