/** Passes events that are valid JSON to the sink, or rejects them by a bound. */
import { EVENT_CODES } from '../../../common/errors.ts';
import type { JsonObject } from '../../../common/json-object.ts';
import type { DecodeBounds, EventSink } from '../event-sink.ts';
import { nestsDeeper, OPEN_BRACE } from './json-scanner.ts';

/** Emits or rejects the event whose valid JSON is `bytes[start, end)`. */
export function emitText(
  index: number,
  bytes: Buffer,
  start: number,
  end: number,
  bounds: DecodeBounds,
  sink: EventSink,
): void {
  if (end - start > bounds.maxEventBytes) rejectLength(index, end - start, bounds, sink);
  else if (bytes[start] !== OPEN_BRACE) rejectType(index, sink);
  else if (nestsDeeper(bytes, start, end, bounds.maxDepth)) rejectDepth(index, bounds, sink);
  else {
    const value = JSON.parse(bytes.toString('utf8', start, end)) as JsonObject;
    sink.event(index, value, bytes, start, end);
  }
}

/** Emits or rejects an event that was parsed from `bytes[start, end)`. */
export function emitValue(
  index: number,
  value: unknown,
  bytes: Buffer,
  start: number,
  end: number,
  bounds: DecodeBounds,
  sink: EventSink,
): void {
  if (end - start > bounds.maxEventBytes) {
    rejectLength(index, end - start, bounds, sink);
  } else if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    rejectType(index, sink);
  } else {
    sink.event(index, value as JsonObject, bytes, start, end);
  }
}

function rejectType(index: number, sink: EventSink): void {
  sink.rejectEvent(index, 'not_an_object', EVENT_CODES.not_an_object.text);
}

/** Rejects an event that is too long. */
export function rejectLength(
  index: number,
  length: number,
  bounds: DecodeBounds,
  sink: EventSink,
): void {
  const message = `${length} bytes exceed the limit of ${bounds.maxEventBytes}`;
  sink.rejectEvent(index, 'too_large', message);
}

function rejectDepth(index: number, { maxDepth }: DecodeBounds, sink: EventSink): void {
  sink.rejectEvent(index, 'too_deep', `more than ${maxDepth} levels of arrays and objects`);
}

/** Rejects a frame with too many events, as one event. @returns 1 */
export function rejectCount(bounds: DecodeBounds, sink: EventSink): number {
  sink.rejectFrame('too_many_events', `more than ${bounds.maxEvents} events`);
  return 1;
}
