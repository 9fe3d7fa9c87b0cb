/**
 * An event for the test page that the schema in force accepts, and its fields that may vary. All of
 * it was checked by the validator that checks events.
 */
import { setImmediate } from 'node:timers/promises';
import { isObject, type JsonObject } from '../../common/json-object.ts';
import type { Validator } from '../intake/validator.ts';
import { References } from './references.ts';
import { sampleObject } from './sample.ts';

/**
 * Values that the page puts into a field of each event: its own name, its name with the number of
 * the event, that number, a UUID, the time, or a text with the number.
 */
export type Variation = 'name' | 'id' | 'number' | 'uuid' | 'ms' | 'time' | 'text';

export interface Example {
  readonly event: JsonObject;
  /** Reason why the event is rejected; absent = it is accepted. */
  readonly problem?: string;
  /** Fields that vary, each as the names on the way to it. */
  readonly vary: readonly { readonly path: readonly string[]; readonly as: Variation }[];
}

export interface ExampleOptions {
  readonly schema: JsonObject;
  readonly validate: Validator;
  readonly keyField: string;
  readonly idField: string;
  readonly maxEventBytes: number;
}

const ATTEMPTS = 300;
/** Bound of the values in all attempts together: fewer attempts for larger schemas. */
const VALUES_MAX = 30_000;

/** Values at both ends of what a variation may be, as the page makes them. */
const PROBES: Readonly<Record<Variation, readonly [unknown, unknown]>> = {
  name: ['page-000000000000', 'page-ffffffffffff'],
  id: ['page-000000000000-1', 'page-ffffffffffff-9999999'],
  number: [1, 9_999_999],
  uuid: ['00000000-0000-4000-8000-000000000000', 'ffffffff-ffff-4fff-bfff-ffffffffffff'],
  ms: [1_700_000_000_000, 4_000_000_000_000],
  time: ['2026-01-31T12:00:00.000Z', '2099-12-31T23:59:59.999Z'],
  text: ['event 1', 'event 9999999'],
};

/** Generates an example that is accepted, or one with the reason why it is not. */
export async function exampleOf(options: ExampleOptions): Promise<Example> {
  const { event, problem } = await taken(options);
  if (problem !== undefined) return { event, problem, vary: [] };
  return { event, vary: variations(event, options) };
}

async function taken({ schema, validate, maxEventBytes }: ExampleOptions) {
  const references = new References(schema);
  let first: { event: JsonObject; problem: string } | undefined;
  let values = 0;
  for (let attempt = 0; attempt < ATTEMPTS && values < VALUES_MAX; attempt++) {
    // The event loop serves events meanwhile.
    await setImmediate();
    let event: JsonObject;
    let problem: string | undefined;
    try {
      const sample = sampleObject(schema, references, attempt);
      values += sample.values;
      event = sample.event;
      problem = validate(event);
    } catch {
      // No end, a pattern that cannot be read: another attempt may avoid it.
      values += VALUES_MAX / ATTEMPTS;
      continue;
    }
    const bytes = Buffer.byteLength(JSON.stringify(event));
    if (bytes > maxEventBytes) problem ??= `${bytes} bytes exceed the limit of ${maxEventBytes}`;
    if (problem === undefined) return { event, problem };
    first ??= { event, problem };
  }
  return first ?? { event: {}, problem: 'no example could be made' };
}

/** Collects the variations that are accepted together. */
function variations(event: JsonObject, { validate, keyField, idField }: ExampleOptions) {
  const kept: { path: readonly string[]; as: Variation }[] = [];
  const isTaken = (all: typeof kept) =>
    [0, 1].every((end) => {
      const varied = structuredClone(event);
      return (
        all.every(({ path, as }) => put(varied, path, PROBES[as][end])) &&
        validate(varied) === undefined
      );
    });
  const wanted: [path: readonly string[], kinds: readonly Variation[]][] = [
    [[idField], ['id', 'uuid', 'number']],
    [pathOf(event, keyField), ['name']],
  ];
  if (typeof event.timestamp === 'number') wanted.push([['timestamp'], ['ms']]);
  if (typeof event.timestamp === 'string') wanted.push([['timestamp'], ['time']]);
  if (typeof event.msg === 'string') wanted.push([['msg'], ['text']]);
  for (const [path, kinds] of wanted) {
    if (kept.some((other) => other.path.join('\0') === path.join('\0'))) continue;
    const as = kinds.find((kind) => isTaken([...kept, { path, as: kind }]));
    if (as !== undefined) kept.push({ path, as });
  }
  return kept;
}

/** A field of that name, or one within others, by dots. */
function pathOf(event: JsonObject, field: string): string[] {
  return Object.hasOwn(event, field) ? [field] : field.split('.');
}

/** Sets a field. @returns false when something that is no object is in the way */
function put(event: JsonObject, path: readonly string[], value: unknown): boolean {
  let at = event;
  for (const name of path.slice(0, -1)) {
    if (!Object.hasOwn(at, name)) define(at, name, {});
    const inner = at[name];
    if (!isObject(inner)) return false;
    at = inner;
  }
  define(at, path.at(-1)!, value);
  return true;
}

/** As an own field, also when it is called `__proto__`. */
function define(object: JsonObject, name: string, value: unknown): void {
  const field = { value, enumerable: true, configurable: true, writable: true };
  Object.defineProperty(object, name, field);
}
