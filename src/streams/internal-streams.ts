/** Rules of internal streams, and of the streams that write their dead letters to them. */
import type { JsonObject } from '../common/json-object.ts';
import { nearest } from '../common/nearest.ts';
import { DEFAULT_STREAM } from './stream-file.ts';
import { type Path, shownName, shownText } from './yaml-document.ts';

/** A stream as written, of unchecked types. */
export type RawEntry = readonly [name: string, stream: JsonObject];

/** Place of a problem, and its text. */
export type Located = readonly [path: Path, text: string];

/** Properties that concern the events of clients. */
const CLIENT_PROPERTIES = [
  'match',
  'schema',
  'key',
  'headers',
  'idField',
  'traceField',
  'time',
  'ip',
  'value',
  'origins',
  'access',
  'plain',
  'deadLetter',
] as const;

/**
 * Returns the violations of these rules: dead letters go to internal streams; no event of a client
 * does; the topic of an internal stream has nothing else.
 * @param defaults values for all streams
 * @param routing as written
 */
export function internalStreamProblems(
  streams: readonly RawEntry[],
  defaults: JsonObject,
  routing: JsonObject,
): Located[] {
  const problems: Located[] = [];
  const internal = streams.filter(([, stream]) => stream.internal === true);
  const names = internal.map(([name]) => name);
  const targets: (readonly [path: Path, target: unknown])[] = [
    [['defaults', 'deadLetter'], defaults.deadLetter],
    ...streams.map(
      ([name, stream]) => [['streams', name, 'deadLetter'], stream.deadLetter] as const,
    ),
  ];
  for (const [path, target] of targets) {
    if (typeof target !== 'string' || names.includes(target)) continue;
    const isOther = streams.some(([name]) => name === target);
    const text = isOther
      ? `names ${shownName(target)}, which is not internal`
      : `names no stream: ${shownText(target)}${hintOf(target, names)}`;
    problems.push([path, text]);
  }
  const { unknown } = routing;
  if (typeof unknown === 'string' && names.includes(unknown)) {
    problems.push([['routing', 'unknown'], `names ${shownName(unknown)}, which is internal`]);
  }
  const owners = new Map(internal.map(([name, { topic }]) => [topic, name]));
  for (const [name, { topic }] of streams) {
    const owner = owners.get(topic);
    if (owner === undefined || owner === name) continue;
    const text = `is also the topic of ${shownName(owner)}, which is internal`;
    problems.push([['streams', name, 'topic'], text]);
  }
  for (const [name, stream] of internal) {
    const path = ['streams', name];
    if (name === DEFAULT_STREAM) {
      problems.push([[...path, 'internal'], ': the stream default receives events of clients']);
    }
    for (const property of CLIENT_PROPERTIES) {
      if (stream[property] === undefined) continue;
      problems.push([[...path, property], 'does not apply to an internal stream']);
    }
  }
  if (names.length > 0 && names.length === streams.length) {
    problems.push([['streams'], ': all are internal, so that no client can write']);
  }
  return problems;
}

/** Returns the name that `text` may have meant, as the end of a message. */
export function hintOf(text: string, names: readonly string[]): string {
  const near = nearest(text, names, ({ length }) => Math.ceil(length / 3));
  return near === undefined ? '' : `; did you mean ${near}?`;
}
