/** Fast path: decodes frames without creating values of the events that need none. */
import type { DecodeBounds } from '../decode-bounds.ts';
import type { EventSink } from '../event-sink.ts';
import type { FastValidator } from '../kernel/fast-validator.ts';
import { RESULT_END, RESULT_PROFILE, RESULT_START, RESULT_WORDS } from '../kernel/layout.ts';
import { located } from '../kernel/located-fields.ts';
import { emitParsed } from './emit.ts';
import { INVALID } from './json-grammar.ts';
import { OPEN_BRACKET, skipBlank } from './json-scanner.ts';

/**
 * Decodes an object that the fast validator accepts, or an array: the objects in it that the fast
 * validator does not accept are parsed one by one.
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
  fastValidator.load(bytes, 0, bytes.length);
  if (bytes[start] === OPEN_BRACKET) return decodeArray(bytes, start, bounds, sink, fastValidator);
  const end = fastValidator.objectEnd(start, bytes.length, bounds.maxDepth);
  if (end === INVALID || end - start > bounds.maxEventBytes) return undefined;
  if (end < bytes.length && skipBlank(bytes, end) < bytes.length) return undefined;
  sink.validEvent(0, bytes, start, end, located.read(fastValidator.results, 0, bytes));
  return 1;
}

/** Decides the whole array before emitting: a syntax error at its end rejects all of it. */
function decodeArray(
  bytes: Buffer,
  open: number,
  bounds: DecodeBounds,
  sink: EventSink,
  fastValidator: FastValidator,
): number | undefined {
  const events = fastValidator.array(open, bounds);
  if (events === INVALID) return undefined;
  const { results } = fastValidator;
  for (let index = 0, at = 0; index < events; index++, at += RESULT_WORDS) {
    const [start, end] = [results[at + RESULT_START]!, results[at + RESULT_END]!];
    if (results[at + RESULT_PROFILE]! >= 0) {
      sink.validEvent(index, bytes, start, end, located.read(results, at, bytes));
    } else emitParsed(index, bytes, start, end, bounds, sink);
  }
  return events;
}
