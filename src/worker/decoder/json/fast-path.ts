/** Frames of which every event passes the sink's sieve: no value is made of any. */
import assert from 'node:assert/strict';
import { LIMITS } from '../../../config/limits.ts';
import type { DecodeBounds, EventSink } from '../event-sink.ts';
import type { Sieve } from './fast-validator.ts';
import { WRONG } from './json-grammar.ts';
import { CLOSE_BRACKET, COMMA, OPEN_BRACKET, skipBlank } from './json-scanner.ts';

/** What is kept of an event until the whole array is known: start, end, key's start and length. */
const PLACES = 4;
/** Of one array; frames are decoded one after the other. */
const places = new Int32Array(LIMITS.bodyEvents * PLACES);

/**
 * Takes a text apart whose events are all surely good: one object, or an array of such.
 * @param start of what is not white space
 * @returns how many events were received; undefined = nothing was, it has to be looked at
 */
export function decodeKnown(
  bytes: Buffer,
  start: number,
  bounds: DecodeBounds,
  sink: EventSink,
): number | undefined {
  const { sieve } = sink;
  if (sieve === undefined) return undefined;
  if (bytes[start] === OPEN_BRACKET) return decodeArray(bytes, start, bounds, sink, sieve);
  const end = sieve.objectEnd(bytes, start, bytes.length, bounds.maxDepth);
  if (end === WRONG || end - start > bounds.maxEventBytes) return undefined;
  if (end < bytes.length && skipBlank(bytes, end) < bytes.length) return undefined;
  sink.known(0, bytes, start, end, sieve.keyStart, sieve.keyBytes);
  return 1;
}

/** All of it, before anything is handed on: a syntax error at its end refuses the whole array. */
function decodeArray(
  bytes: Buffer,
  open: number,
  { maxEvents, maxEventBytes, maxDepth }: DecodeBounds,
  sink: EventSink,
  sieve: Sieve,
): number | undefined {
  assert(maxEvents * PLACES <= places.length, 'there is a place for each event');
  let [events, at] = [0, open];
  do {
    const start = skipBlank(bytes, at + 1);
    const end = sieve.objectEnd(bytes, start, bytes.length, maxDepth);
    if (end === WRONG || end - start > maxEventBytes || events === maxEvents) return undefined;
    const place = events++ * PLACES;
    places[place] = start;
    places[place + 1] = end;
    places[place + 2] = sieve.keyStart;
    places[place + 3] = sieve.keyBytes;
    at = skipBlank(bytes, end);
  } while (bytes[at] === COMMA);
  if (bytes[at] !== CLOSE_BRACKET || skipBlank(bytes, at + 1) < bytes.length) return undefined;
  for (let index = 0; index < events; index++) {
    const place = index * PLACES;
    const [start, end] = [places[place]!, places[place + 1]!];
    sink.known(index, bytes, start, end, places[place + 2]!, places[place + 3]!);
  }
  return events;
}
