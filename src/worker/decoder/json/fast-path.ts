/** Fast path for frames with valid events only: decodes them without creating values. */
import assert from 'node:assert/strict';
import { LIMITS } from '../../../config/limits.ts';
import type { DecodeBounds, EventSink } from '../event-sink.ts';
import type { FastValidator } from './fast-validator.ts';
import { INVALID } from './json-grammar.ts';
import { CLOSE_BRACKET, COMMA, OPEN_BRACKET, skipBlank } from './json-scanner.ts';
import { restoreFields, SPAN_NUMBERS_MAX, saveValidated, spanNumbers } from './spans.ts';

/** Spans of the current array, shared by all frames. */
const spans = new Int32Array(LIMITS.bodyEvents * SPAN_NUMBERS_MAX);

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
  sink.validEvent(0, bytes, start, end, fastValidator.located);
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
  const numbers = spanNumbers(fastValidator);
  assert(maxEvents * numbers <= spans.length, 'each event has a span');
  let [events, at] = [0, open];
  do {
    const start = skipBlank(bytes, at + 1);
    const end = fastValidator.objectEnd(bytes, start, bytes.length, maxDepth);
    if (end === INVALID || end - start > maxEventBytes || events === maxEvents) return undefined;
    saveValidated(spans, events++ * numbers, start, end, fastValidator);
    at = skipBlank(bytes, end);
  } while (bytes[at] === COMMA);
  if (bytes[at] !== CLOSE_BRACKET || skipBlank(bytes, at + 1) < bytes.length) return undefined;
  for (let index = 0; index < events; index++) {
    const span = index * numbers;
    const [start, end] = [spans[span]!, spans[span + 1]!];
    restoreFields(spans, span, fastValidator);
    sink.validEvent(index, bytes, start, end, fastValidator.located);
  }
  return events;
}
