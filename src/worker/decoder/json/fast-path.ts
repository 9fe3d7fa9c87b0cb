/** Fast path for frames with valid events only: decodes them without creating values. */
import assert from 'node:assert/strict';
import { LIMITS } from '../../../config/limits.ts';
import type { DecodeBounds, EventSink } from '../event-sink.ts';
import type { FastValidator } from './fast-validator.ts';
import { INVALID } from './json-grammar.ts';
import { CLOSE_BRACKET, COMMA, OPEN_BRACKET, skipBlank } from './json-scanner.ts';

/** Fields per event of an array: start, end, start of the key, length of the key, profile. */
const SPAN_FIELDS = 5;
/** Spans of the current array, shared by all frames. */
const spans = new Int32Array(LIMITS.bodyEvents * SPAN_FIELDS);

/**
 * Decodes an object or an array of objects that the fast validator accepts.
 * @param start offset of the first byte that is not white space
 * @returns the number of events; undefined = nothing was emitted, use the slow path
 */
export function decodeFast(
  bytes: Buffer,
  start: number,
  bounds: DecodeBounds,
  sink: EventSink,
): number | undefined {
  const { fastValidator } = sink;
  if (fastValidator === undefined) return undefined;
  if (bytes[start] === OPEN_BRACKET) return decodeArray(bytes, start, bounds, sink, fastValidator);
  const end = fastValidator.objectEnd(bytes, start, bytes.length, bounds.maxDepth);
  if (end === INVALID || end - start > bounds.maxEventBytes) return undefined;
  if (end < bytes.length && skipBlank(bytes, end) < bytes.length) return undefined;
  const { keyStart, keyBytes, profile } = fastValidator;
  sink.validEvent(0, bytes, start, end, keyStart, keyBytes, profile);
  return 1;
}

/** Validates the whole array before emitting: a syntax error at its end rejects all of it. */
function decodeArray(
  bytes: Buffer,
  open: number,
  { maxEvents, maxEventBytes, maxDepth }: DecodeBounds,
  sink: EventSink,
  fastValidator: FastValidator,
): number | undefined {
  assert(maxEvents * SPAN_FIELDS <= spans.length, 'each event has a span');
  let [events, at] = [0, open];
  do {
    const start = skipBlank(bytes, at + 1);
    const end = fastValidator.objectEnd(bytes, start, bytes.length, maxDepth);
    if (end === INVALID || end - start > maxEventBytes || events === maxEvents) return undefined;
    const span = events++ * SPAN_FIELDS;
    spans[span] = start;
    spans[span + 1] = end;
    spans[span + 2] = fastValidator.keyStart;
    spans[span + 3] = fastValidator.keyBytes;
    spans[span + 4] = fastValidator.profile;
    at = skipBlank(bytes, end);
  } while (bytes[at] === COMMA);
  if (bytes[at] !== CLOSE_BRACKET || skipBlank(bytes, at + 1) < bytes.length) return undefined;
  for (let index = 0; index < events; index++) {
    const span = index * SPAN_FIELDS;
    const [start, end] = [spans[span]!, spans[span + 1]!];
    const [keyStart, keyBytes, profile] = [spans[span + 2]!, spans[span + 3]!, spans[span + 4]!];
    sink.validEvent(index, bytes, start, end, keyStart, keyBytes, profile);
  }
  return events;
}
