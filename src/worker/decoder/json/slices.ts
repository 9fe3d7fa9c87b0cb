/**
 * Decodes bodies that are too long for one event-loop turn in slices, with the same result as
 * text.ts.
 */
import { isUtf8 } from 'node:buffer';
import { LIMITS } from '../../../config/limits.ts';
import type { DecodeBounds } from '../decode-bounds.ts';
import type { EventSink } from '../event-sink.ts';
import { rejectCount, rejectLength } from './emit.ts';
import { continueWalk, PAUSED, startWalk } from './json-grammar.ts';
import { OPEN_BRACKET, skipBlank, trimmedEnd } from './json-scanner.ts';
import { type Slice, type Slices, sliceArray } from './sliced-array.ts';
import {
  decodeNdjson,
  decodeText,
  exceedsLines,
  LineDecoder,
  lineEnd,
  rejectEncoding,
  rejectText,
} from './text.ts';

export type SlicedDecoder = (
  bytes: Buffer,
  bounds: DecodeBounds,
  sink: EventSink,
  slice?: Slice,
) => Slices;

/** {@link decodeTextBody} in slices. */
export const sliceTextBody: SlicedDecoder = function* (bytes, bounds, sink, slice = LIMITS) {
  if (!isUtf8(bytes)) return yield rejectEncoding(bytes, sink);
  const start = skipBlank(bytes, 0);
  if (bytes[start] === OPEN_BRACKET) return yield* sliceArray(bytes, start, bounds, sink, slice);
  const end = trimmedEnd(bytes, start, bytes.length);
  const firstEnd = trimmedEnd(bytes, start, lineEnd(bytes, start));
  const isLines = firstEnd < end && (yield* isValue(bytes, start, firstEnd, slice));
  if (isLines) return yield* sliceLines(bytes, bounds, sink, slice, true);
  if (end - start <= bounds.maxEventBytes) yield decodeText(bytes, bounds, sink);
  else if (yield* isValue(bytes, start, end, slice)) {
    rejectLength(0, bytes, start, end, bounds, sink);
    yield 1;
  } else yield rejectText(bytes, start, sink);
};

/** {@link decodeNdjson} in slices. */
export const sliceNdjson: SlicedDecoder = function* (bytes, bounds, sink, slice = LIMITS) {
  if (skipBlank(bytes, 0) === bytes.length) yield decodeNdjson(bytes, bounds, sink);
  else yield* sliceLines(bytes, bounds, sink, slice, isUtf8(bytes));
};

function* sliceLines(
  bytes: Buffer,
  bounds: DecodeBounds,
  sink: EventSink,
  { sliceBytes, sliceEvents }: Slice,
  utf8: boolean,
): Slices {
  if (exceedsLines(bytes, bounds.maxEvents)) return yield rejectCount(bytes, bounds, sink);
  const lines = new LineDecoder(bytes, bounds, sink, utf8);
  while (!lines.atEnd) {
    const before = lines.events;
    lines.advance(sliceBytes, sliceEvents);
    yield lines.events - before;
  }
}

/** Whether `bytes[start, end)`, followed only by white space in its line, is JSON. */
function* isValue(
  bytes: Buffer,
  start: number,
  end: number,
  { sliceBytes }: Slice,
): Generator<number, boolean> {
  const walk = startWalk(start);
  for (;;) {
    const found = continueWalk(walk, bytes, end, walk.at + sliceBytes);
    if (found !== PAUSED) return found === end;
    yield 0;
  }
}
