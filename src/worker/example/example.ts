/**
 * Generates an event for the test page that the active schema accepts, and the fields that can
 * vary. The result is checked by the validator of events.
 */
import { setImmediate } from 'node:timers/promises';
import { isObject, type JsonObject } from '../../common/json-object.ts';
import type { Validator } from '../intake/validator.ts';
import { References } from './references.ts';
import { sampleObject } from './sample.ts';

/**
 * Values that the page sets in each event: name of the page, name with the event number, event
 * number, UUID, time, or text with the event number.
 */
export type Variation = 'name' | 'id' | 'number' | 'uuid' | 'ms' | 'time' | 'text';

export interface Example {
  readonly event: JsonObject;
  /** Reason why the event is rejected; absent = it is accepted. */
  readonly problem?: string;
  /** Fields that vary, each with its path of names. */
  readonly vary: readonly { readonly path: readonly string[]; readonly as: Variation }[];
}

export interface ExampleOptions {
  readonly schema: JsonObject;
  readonly validate: Validator;
  /** Fields of the record key; empty = none. */
  readonly keyFields: readonly string[];
  readonly idField: string;
  readonly maxEventBytes: number;
}

const ATTEMPTS = 300;
/** Maximum values in all attempts together: larger schemas get fewer attempts. */
const VALUES_MAX = 30_000;

/** Smallest and largest value of each variation, in the format of the page. */
const PROBES: Readonly<Record<Variation, readonly [unknown, unknown]>> = {
  name: ['page-000000000000', 'page-ffffffffffff'],
  id: ['page-000000000000-1', 'page-ffffffffffff-9999999'],
  number: [1, 9_999_999],
  uuid: ['00000000-0000-4000-8000-000000000000', 'ffffffff-ffff-4fff-bfff-ffffffffffff'],
  ms: [1_700_000_000_000, 4_000_000_000_000],
  time: ['2026-01-31T12:00:00.000Z', '2099-12-31T23:59:59.999Z'],
  text: ['event 1', 'event 9999999'],
};

/** Generates an accepted example, or a rejected one with the reason. */
export async function exampleOf(options: ExampleOptions): Promise<Example> {
  const { event, problem } = await findExample(options);
  if (problem !== undefined) return { event, problem, vary: [] };
  return { event, vary: variations(event, options) };
}

async function findExample({ schema, validate, maxEventBytes }: ExampleOptions) {
  const references = new References(schema);
  let first: { event: JsonObject; problem: string } | undefined;
  let values = 0;
  for (let attempt = 0; attempt < ATTEMPTS && values < VALUES_MAX; attempt++) {
    // Yields to the event loop, which serves events.
    await setImmediate();
    let event: JsonObject;
    let problem: string | undefined;
    try {
      const sample = sampleObject(schema, references, attempt);
      values += sample.values;
      event = sample.event;
      problem = validate(event);
    } catch {
      // Endless recursion or an unsupported pattern, which another attempt may avoid.
      values += VALUES_MAX / ATTEMPTS;
      continue;
    }
    const bytes = Buffer.byteLength(JSON.stringify(event));
    if (bytes > maxEventBytes) problem ??= `${bytes} bytes exceed the limit of ${maxEventBytes}`;
    if (problem === undefined) return { event, problem };
    first ??= { event, problem };
  }
  return first ?? { event: {}, problem: 'no example could be generated' };
}

/** Field that should vary, with the kinds of values to try. */
type Wanted = [path: readonly string[], kinds: readonly Variation[]];

/** Collects the variations that are accepted together. */
function variations(event: JsonObject, { validate, keyFields, idField }: ExampleOptions) {
  const accepted: { path: readonly string[]; as: Variation }[] = [];
  const isAccepted = (all: typeof accepted) =>
    [0, 1].every((end) => {
      const varied = structuredClone(event);
      return (
        all.every(({ path, as }) => put(varied, path, PROBES[as][end])) &&
        validate(varied) === undefined
      );
    });
  const wanted: Wanted[] = [
    [pathOf(event, idField), ['id', 'uuid', 'number']],
    ...keyFields.map((field): Wanted => [pathOf(event, field), ['name']]),
  ];
  if (typeof event.timestamp === 'number') wanted.push([['timestamp'], ['ms']]);
  if (typeof event.timestamp === 'string') wanted.push([['timestamp'], ['time']]);
  if (typeof event.msg === 'string') wanted.push([['msg'], ['text']]);
  for (const [path, kinds] of wanted) {
    if (accepted.some((other) => other.path.join('\0') === path.join('\0'))) continue;
    const as = kinds.find((kind) => isAccepted([...accepted, { path, as: kind }]));
    if (as !== undefined) accepted.push({ path, as });
  }
  return accepted;
}

/** Returns the path of a field: a literal name, or names separated by dots. */
function pathOf(event: JsonObject, field: string): string[] {
  return Object.hasOwn(event, field) ? [field] : field.split('.');
}

/** Sets a field. @returns false if a value on the path is not an object */
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

/** Defines an own property, even for the name `__proto__`. */
function define(object: JsonObject, name: string, value: unknown): void {
  const field = { value, enumerable: true, configurable: true, writable: true };
  Object.defineProperty(object, name, field);
}
