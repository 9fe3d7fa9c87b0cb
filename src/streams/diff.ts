/** Differences between two sets of streams. */
import { isObject, type JsonObject } from '../common/json-object.ts';
import type { StreamDescription, StreamsDescription } from './description.ts';

/** Values of a property, as in JSON; null = none. */
export interface Change {
  readonly old: unknown;
  readonly new: unknown;
}

/** Changed properties by path, such as `limits.eventBytes`. */
export type Changes = Readonly<Record<string, Change>>;

export interface StreamsDiff {
  readonly added: Readonly<Record<string, StreamDescription>>;
  readonly removed: Readonly<Record<string, StreamDescription>>;
  /** Streams in both sets that differ. */
  readonly changed: Readonly<Record<string, Changes>>;
  readonly routing: Changes;
}

/** Lists whose order has no meaning. */
const SETS = ['match', 'origins', 'headers'];

/**
 * Compares the streams by name, and their properties by value. Schema files are equal if their
 * contents are, whatever their names; those of a registry if their ids and framing are too. The
 * order of streams has no meaning.
 */
export function diffStreams(from: StreamsDescription, to: StreamsDescription): StreamsDiff {
  const [before, after] = [from.streams, to.streams];
  const common = Object.keys(before).filter((name) => Object.hasOwn(after, name));
  const changed = common
    .map((name) => [name, changesOf(before[name]!, after[name]!)] as const)
    .filter(([, changes]) => Object.keys(changes).length > 0);
  return {
    added: without(after, common),
    removed: without(before, common),
    changed: Object.fromEntries(changed),
    routing: changesOf(from.routing, to.routing),
  };
}

/** Returns whether there are no differences. */
export function isEmpty({ added, removed, changed, routing }: StreamsDiff): boolean {
  return [added, removed, changed, routing].every((part) => Object.keys(part).length === 0);
}

function without<T>(streams: Readonly<Record<string, T>>, names: readonly string[]) {
  return Object.fromEntries(Object.entries(streams).filter(([name]) => !names.includes(name)));
}

function changesOf(from: object, to: object): Changes {
  const changes: [string, Change][] = [];
  collect(from as JsonObject, to as JsonObject, '', changes);
  return Object.fromEntries(changes);
}

function collect(from: JsonObject, to: JsonObject, prefix: string, into: [string, Change][]): void {
  for (const name of new Set([...Object.keys(to), ...Object.keys(from)])) {
    const [old, next] = [valueIn(from, name), valueIn(to, name)];
    const path = `${prefix}${name}`;
    if (path === 'schema' || path === 'schemaCandidate') {
      if (digestOf(old) !== digestOf(next)) into.push([path, { old, new: next }]);
    } else if (isObject(old) && isObject(next)) {
      collect(old, next, `${path}.`, into);
    } else if (textOf(path, old) !== textOf(path, next)) {
      into.push([path, { old, new: next }]);
    }
  }
}

function valueIn(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? (object[name] ?? null) : null;
}

/** Text that is equal for equal contents, and for the same identity in the records. */
function digestOf(schema: unknown): string | undefined {
  if (!isObject(schema)) return undefined;
  const { sha256, id, framing } = schema;
  return JSON.stringify([sha256, id, framing]);
}

/** Text that is equal for equal values. */
function textOf(path: string, value: unknown): string {
  return JSON.stringify(SETS.includes(path) && Array.isArray(value) ? [...value].sort() : value);
}
