/** Paths of the public port that take events, alone or followed by the name of a stream. */

export const EVENTS_PATH = '/events';
export const WEB_SOCKET_PATH = '/ws';

/** Returns whether `path` is `base`, or begins with it as a whole segment. */
export function isUnder(base: string, path: string): boolean {
  return path.startsWith(base) && (path.length === base.length || path[base.length] === '/');
}

/**
 * Returns the name that follows `base` in `path`; undefined = none. It is not decoded: a name with
 * an escape is a different name, which no stream has.
 */
export function streamNameIn(base: string, path: string): string | undefined {
  return path.length === base.length ? undefined : path.slice(base.length + 1);
}
