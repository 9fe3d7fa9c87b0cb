/**
 * Bodies that are too long for one turn of the loop: taken apart in slices, to the same outcome as
 * text.ts comes to in one go.
 */
import { isUtf8 } from 'node:buffer';
import { LIMITS } from '../../../config/limits.ts';
import type { DecodeBounds, EventSink } from '../event-sink.ts';
import { PAUSED, walkFrom, walkOn } from './json-grammar.ts';
import { OPEN_BRACKET, skipBlank, trimmedEnd } from './json-scanner.ts';
import { type Slice, type Slices, sliceArray } from './sliced-array.ts';
import { refuseCount, refuseLength } from './take.ts';
import {
  decodeNdjson,
  decodeText,
  hasMoreLines,
  Lines,
  lineEnd,
  refuseEncoding,
  refuseText,
} from './text.ts';

export type SlicedDecoder = (
  bytes: Buffer,
  bounds: DecodeBounds,
  sink: EventSink,
  slice?: Slice,
) => Slices;

/** {@link decodeTextBody} in slices. */
export const sliceTextBody: SlicedDecoder = function* (bytes, bounds, sink, slice = LIMITS) {
  if (!isUtf8(bytes)) return yield refuseEncoding(bytes, sink);
  const start = skipBlank(bytes, 0);
  if (bytes[start] === OPEN_BRACKET) return yield* sliceArray(bytes, start, bounds, sink, slice);
  const end = trimmedEnd(bytes, start, bytes.length);
  const firstEnd = trimmedEnd(bytes, start, lineEnd(bytes, start));
  const isLines = firstEnd < end && (yield* isValue(bytes, start, firstEnd, slice));
  if (isLines) return yield* sliceLines(bytes, bounds, sink, slice, true);
  if (end - start <= bounds.maxEventBytes) yield decodeText(bytes, bounds, sink);
  else if (yield* isValue(bytes, start, end, slice)) {
    refuseLength(0, end - start, bounds, sink);
    yield 1;
  } else yield refuseText(bytes, start, sink);
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
  if (hasMoreLines(bytes, bounds.maxEvents)) return yield refuseCount(bounds, sink);
  const lines = new Lines(bytes, bounds, sink, utf8);
  while (!lines.atEnd) {
    const before = lines.taken;
    lines.take(sliceBytes, sliceEvents);
    yield lines.taken - before;
  }
}

/** Whether `bytes[start, end)`, with nothing but white space behind it in its line, is JSON. */
function* isValue(
  bytes: Buffer,
  start: number,
  end: number,
  { sliceBytes }: Slice,
): Generator<number, boolean> {
  const walk = walkFrom(start);
  for (;;) {
    const found = walkOn(walk, bytes, end, walk.at + sliceBytes);
    if (found !== PAUSED) return found === end;
    yield 0;
  }
}
