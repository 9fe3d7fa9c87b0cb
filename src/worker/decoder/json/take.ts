/** The last step of each way of an event that is valid JSON: to the sink, or refused by a bound. */
import { EVENT_CODES } from '../../../common/errors.ts';
import type { JsonObject } from '../../../common/json-object.ts';
import type { DecodeBounds, EventSink } from '../event-sink.ts';
import { nestsDeeper, OPEN_BRACE } from './json-scanner.ts';

/** Hands on the value whose JSON, which must be valid, is `bytes[start, end)`, or refuses it. */
export function takeText(
  index: number,
  bytes: Buffer,
  start: number,
  end: number,
  bounds: DecodeBounds,
  sink: EventSink,
): void {
  if (end - start > bounds.maxEventBytes) refuseLength(index, end - start, bounds, sink);
  else if (bytes[start] !== OPEN_BRACE) refuseType(index, sink);
  else if (nestsDeeper(bytes, start, end, bounds.maxDepth)) refuseDepth(index, bounds, sink);
  else {
    const value: unknown = JSON.parse(bytes.toString('utf8', start, end));
    takeEvent(index, value, bytes, start, end, bounds, sink);
  }
}

/** Hands on a value that was cut out as `bytes[start, end)`, or refuses it. */
export function takeEvent(
  index: number,
  value: unknown,
  bytes: Buffer,
  start: number,
  end: number,
  bounds: DecodeBounds,
  sink: EventSink,
): void {
  if (end - start > bounds.maxEventBytes) {
    refuseLength(index, end - start, bounds, sink);
  } else if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    refuseType(index, sink);
  } else {
    sink.event(index, value as JsonObject, bytes, start, end);
  }
}

function refuseType(index: number, sink: EventSink): void {
  sink.refuseEvent(index, 'not_an_object', EVENT_CODES.not_an_object.text);
}

/** Refuses an event that is too long. */
export function refuseLength(
  index: number,
  length: number,
  bounds: DecodeBounds,
  sink: EventSink,
): void {
  const message = `${length} bytes, an event may have ${bounds.maxEventBytes}`;
  sink.refuseEvent(index, 'too_large', message);
}

function refuseDepth(index: number, { maxDepth }: DecodeBounds, sink: EventSink): void {
  sink.refuseEvent(index, 'too_deep', `more than ${maxDepth} arrays and objects in each other`);
}

/** Refuses what has too many events, as one. @returns 1 */
export function refuseCount(bounds: DecodeBounds, sink: EventSink): number {
  sink.refuseFrame('too_many_events', `more than ${bounds.maxEvents} events`);
  return 1;
}
