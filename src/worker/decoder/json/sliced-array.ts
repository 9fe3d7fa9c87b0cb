/**
 * Decodes a long array of events in slices. A syntax error at its end rejects the whole array, so
 * there are two passes: the first finds the events, the second emits them.
 */
import type { DecodeBounds } from '../decode-bounds.ts';
import type { EventSink } from '../event-sink.ts';
import { located } from '../kernel/located-fields.ts';
import { emitText, rejectCount } from './emit.ts';
import { continueWalk, INVALID, PAUSED, startWalk } from './json-grammar.ts';
import { CLOSE_BRACKET, COMMA, skipBlank } from './json-scanner.ts';

/** Numbers per event: start and end. */
const SPAN_NUMBERS = 2;

/** Yields the number of events of each slice, including rejected ones. */
export type Slices = Generator<number, void>;

/** Approximate size of a slice. */
export interface Slice {
  readonly sliceBytes: number;
  readonly sliceEvents: number;
}

/**
 * Decodes an array.
 * @param open offset of its opening bracket
 */
export function* sliceArray(
  bytes: Buffer,
  open: number,
  bounds: DecodeBounds,
  sink: EventSink,
  slice: Slice,
): Slices {
  // An event takes at least two bytes, with its comma.
  const eventsMax = Math.min(bounds.maxEvents, Math.ceil((bytes.length - open) / 2));
  const spans = new Int32Array(eventsMax * SPAN_NUMBERS);
  const events = yield* findEvents(bytes, open, spans, bounds, sink, slice);
  if (events === INVALID) yield 1;
  else if (events > bounds.maxEvents) yield rejectCount(bytes, bounds, sink);
  else yield* emitEvents(bytes, spans, events, bounds, sink, slice);
}

/** Finds the events. @returns their number; {@link INVALID} = the array was rejected */
function* findEvents(
  bytes: Buffer,
  open: number,
  spans: Int32Array,
  { maxEvents, maxEventBytes, maxDepth }: DecodeBounds,
  sink: EventSink,
  { sliceBytes }: Slice,
): Generator<number, number> {
  const { fastValidator } = sink;
  let [events, at, from] = [0, open, open];
  // Bounds the fast validator, which would read an overlong event to its end.
  let loadedTo = 0;
  do {
    const start = skipBlank(bytes, at + 1);
    if (events === 0 && bytes[start] === CLOSE_BRACKET) {
      at = start;
      break;
    }
    if (start - from >= sliceBytes) {
      yield 0;
      // Other frames were decided in the meantime.
      [from, loadedTo] = [start, 0];
    }
    if (loadedTo < bytes.length && loadedTo - start <= maxEventBytes) {
      loadedTo = Math.min(start + sliceBytes + maxEventBytes, bytes.length);
      fastValidator?.load(bytes, start, loadedTo);
    }
    let end = fastValidator?.objectEnd(start, loadedTo, maxDepth) ?? INVALID;
    if (end === INVALID) {
      const walk = startWalk(start);
      for (;;) {
        end = continueWalk(walk, bytes, bytes.length, from + sliceBytes);
        if (end !== PAUSED) break;
        yield 0;
        [from, loadedTo] = [walk.at, 0];
      }
      if (end === INVALID)
        return rejectSyntax(bytes, sink, `in event ${events}, which begins at byte ${start}`);
    }
    if (events < maxEvents) {
      spans[events * SPAN_NUMBERS] = start;
      spans[events * SPAN_NUMBERS + 1] = end;
    }
    events++;
    at = skipBlank(bytes, end);
  } while (bytes[at] === COMMA);
  const isComplete = bytes[at] === CLOSE_BRACKET && skipBlank(bytes, at + 1) === bytes.length;
  return isComplete ? events : rejectSyntax(bytes, sink, `at byte ${at}`);
}

function rejectSyntax(bytes: Buffer, sink: EventSink, where: string): typeof INVALID {
  sink.rejectFrame('invalid_json', `not valid JSON ${where}`, bytes);
  return INVALID;
}

function* emitEvents(
  bytes: Buffer,
  spans: Int32Array,
  events: number,
  bounds: DecodeBounds,
  sink: EventSink,
  { sliceBytes, sliceEvents }: Slice,
): Slices {
  const { fastValidator } = sink;
  let [before, from, loadedTo] = [0, 0, 0];
  for (let index = 0; index < events; index++) {
    const span = index * SPAN_NUMBERS;
    const [start, end] = [spans[span]!, spans[span + 1]!];
    if (start - from >= sliceBytes || index - before >= sliceEvents) {
      yield index - before;
      [before, from, loadedTo] = [index, start, 0];
    }
    const isShort = end - start <= bounds.maxEventBytes;
    if (isShort && end > loadedTo) {
      loadedTo = Math.min(start + sliceBytes + bounds.maxEventBytes, bytes.length);
      fastValidator?.load(bytes, start, loadedTo);
    }
    // Decided again: its result is not kept between the slices.
    if (isShort && fastValidator?.objectEnd(start, loadedTo, bounds.maxDepth) === end) {
      sink.validEvent(index, bytes, start, end, located.read(fastValidator.results, 0, bytes));
    } else emitText(index, bytes, start, end, bounds, sink);
  }
  yield events - before;
}
