/** Passes events that are valid JSON to the sink, or rejects them by a bound. */
import { EVENT_CODES } from '../../../common/errors.ts';
import type { JsonObject } from '../../../common/json-object.ts';
import type { DecodeBounds } from '../decode-bounds.ts';
import type { EventSink } from '../event-sink.ts';
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
  if (end - start > bounds.maxEventBytes) rejectLength(index, bytes, start, end, bounds, sink);
  else if (bytes[start] !== OPEN_BRACE) rejectType(index, bytes, start, end, sink);
  else if (nestsDeeper(bytes, start, end, bounds.maxDepth))
    rejectDepth(index, bytes, start, end, bounds, sink);
  else {
    const value = JSON.parse(bytes.toString('utf8', start, end)) as JsonObject;
    sink.event(index, value, bytes, start, end);
  }
}

/** {@link emitText} for JSON that is known not to nest too deeply. */
export function emitParsed(
  index: number,
  bytes: Buffer,
  start: number,
  end: number,
  bounds: DecodeBounds,
  sink: EventSink,
): void {
  if (end - start > bounds.maxEventBytes) rejectLength(index, bytes, start, end, bounds, sink);
  else {
    const value: unknown = JSON.parse(bytes.toString('utf8', start, end));
    emitValue(index, value, bytes, start, end, bounds, sink);
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
    rejectLength(index, bytes, start, end, bounds, sink);
  } else if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    rejectType(index, bytes, start, end, sink);
  } else {
    sink.event(index, value as JsonObject, bytes, start, end);
  }
}

function rejectType(
  index: number,
  bytes: Buffer,
  start: number,
  end: number,
  sink: EventSink,
): void {
  const { text } = EVENT_CODES.not_an_object;
  sink.rejectEvent(index, 'not_an_object', text, bytes, start, end);
}

/** Rejects an event that is too long. */
export function rejectLength(
  index: number,
  bytes: Buffer,
  start: number,
  end: number,
  bounds: DecodeBounds,
  sink: EventSink,
): void {
  const message = `${end - start} bytes exceed the limit of ${bounds.maxEventBytes}`;
  sink.rejectEvent(index, 'too_large', message, bytes, start, end);
}

function rejectDepth(
  index: number,
  bytes: Buffer,
  start: number,
  end: number,
  { maxDepth }: DecodeBounds,
  sink: EventSink,
): void {
  const message = `more than ${maxDepth} levels of arrays and objects`;
  sink.rejectEvent(index, 'too_deep', message, bytes, start, end);
}

/** Rejects a frame with too many events, as one event. @returns 1 */
export function rejectCount(bytes: Buffer, bounds: DecodeBounds, sink: EventSink): number {
  sink.rejectFrame('too_many_events', `more than ${bounds.maxEvents} events`, bytes);
  return 1;
}
