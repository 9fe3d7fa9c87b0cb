/**
 * A long array of events, in slices. A syntax error at its end refuses it as a whole, so there are
 * two passes: the first finds each event, the second hands them on.
 */

import type { DecodeBounds, EventSink } from '../event-sink.ts';
import { PAUSED, WRONG, walkFrom, walkOn } from './json-grammar.ts';
import { CLOSE_BRACKET, COMMA, skipBlank } from './json-scanner.ts';
import { refuseCount, takeText } from './take.ts';

/** Yields at the end of each slice how many events were received in it, refused ones included. */
export type Slices = Generator<number, void>;

/** How much a slice takes, about. */
export interface Slice {
  readonly sliceBytes: number;
  readonly sliceEvents: number;
}

/** What is kept of an event from one pass to the next: start, end, key's start and length. */
const PLACES = 4;
/** In place of the key's length: the sieve did not let it through. */
const UNSIFTED = -2;

/**
 * Takes an array apart.
 * @param open where it begins
 */
export function* sliceArray(
  bytes: Buffer,
  open: number,
  bounds: DecodeBounds,
  sink: EventSink,
  slice: Slice,
): Slices {
  const places = new Int32Array(bounds.maxEvents * PLACES);
  const events = yield* findEvents(bytes, open, places, bounds, sink, slice);
  if (events === WRONG) yield 1;
  else if (events > bounds.maxEvents) yield refuseCount(bounds, sink);
  else yield* handOn(bytes, places, events, bounds, sink, slice);
}

/** Finds them all. @returns how many there are; {@link WRONG} = the array was refused */
function* findEvents(
  bytes: Buffer,
  open: number,
  places: Int32Array,
  { maxEvents, maxEventBytes, maxDepth }: DecodeBounds,
  sink: EventSink,
  { sliceBytes }: Slice,
): Generator<number, number> {
  const { sieve } = sink;
  let [events, at, from] = [0, open, open];
  // What the sieve sees: for an event that does not end in it the sieve would read on for too long.
  let view = bytes.subarray(0, 0);
  do {
    const start = skipBlank(bytes, at + 1);
    if (events === 0 && bytes[start] === CLOSE_BRACKET) {
      at = start;
      break;
    }
    if (start - from >= sliceBytes) {
      yield 0;
      from = start;
    }
    if (view.length < bytes.length && view.length - start <= maxEventBytes) {
      view = bytes.subarray(0, start + sliceBytes + maxEventBytes);
    }
    let end = sieve?.objectEnd(view, start, view.length, maxDepth) ?? WRONG;
    const sifted = end !== WRONG && end - start <= maxEventBytes;
    if (!sifted) {
      const walk = walkFrom(start);
      for (;;) {
        end = walkOn(walk, bytes, bytes.length, from + sliceBytes);
        if (end !== PAUSED) break;
        yield 0;
        from = walk.at;
      }
      if (end === WRONG) return refuseSyntax(sink, `in event ${events}, from byte ${start} on`);
    }
    if (events < maxEvents) {
      const place = events * PLACES;
      places[place] = start;
      places[place + 1] = end;
      places[place + 2] = sifted ? sieve!.keyStart : 0;
      places[place + 3] = sifted ? sieve!.keyBytes : UNSIFTED;
    }
    events++;
    at = skipBlank(bytes, end);
  } while (bytes[at] === COMMA);
  const ends = bytes[at] === CLOSE_BRACKET && skipBlank(bytes, at + 1) === bytes.length;
  return ends ? events : refuseSyntax(sink, `at byte ${at}`);
}

function refuseSyntax(sink: EventSink, where: string): typeof WRONG {
  sink.refuseFrame('invalid_json', `not valid JSON ${where}`);
  return WRONG;
}

function* handOn(
  bytes: Buffer,
  places: Int32Array,
  events: number,
  bounds: DecodeBounds,
  sink: EventSink,
  { sliceBytes, sliceEvents }: Slice,
): Slices {
  let [before, from] = [0, 0];
  for (let index = 0; index < events; index++) {
    const place = index * PLACES;
    const [start, end, keyBytes] = [places[place]!, places[place + 1]!, places[place + 3]!];
    if (start - from >= sliceBytes || index - before >= sliceEvents) {
      yield index - before;
      [before, from] = [index, start];
    }
    if (keyBytes !== UNSIFTED) sink.known(index, bytes, start, end, places[place + 2]!, keyBytes);
    else takeText(index, bytes, start, end, bounds, sink);
  }
  yield events - before;
}
