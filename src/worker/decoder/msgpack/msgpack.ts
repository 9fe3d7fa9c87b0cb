/** Decodes MessagePack into events ("MessagePack" in docs/protocol.md), passed on as JSON. */
import { KIND, KINDS, lengthAt, NUMBER_BYTES } from '../../../common/msgpack-types.ts';
import { LIMITS } from '../../../config/limits.ts';
import type { DecodeBounds } from '../decode-bounds.ts';
import type { EventCounter, EventSink } from '../event-sink.ts';
import { emitText, rejectCount } from '../json/emit.ts';
import type { SlicedDecoder } from '../json/slices.ts';
import { located } from '../kernel/located-fields.ts';
import { MsgpackToJson } from './msgpack-to-json.ts';

/** Counts the events that a frame declares. */
export const countMsgpackEvents: EventCounter = (bytes, eventsMax) => {
  const [type] = bytes;
  if (type === undefined) return 0;
  if (KINDS[type] !== KIND.array) return 1;
  const headBytes = 1 + NUMBER_BYTES[type]!;
  const events = headBytes <= bytes.length ? lengthAt(bytes, 0) : Number.POSITIVE_INFINITY;
  return events <= Math.min(eventsMax, bytes.length - headBytes) ? events : undefined;
};

/** Converter of frames that are decoded at once. */
const shared = new MsgpackToJson();

/**
 * Decodes a binary frame, or a body of type application/msgpack; `bytes` are unchecked.
 * @returns the number of events, including rejected ones
 */
export function decodeMsgpack(bytes: Buffer, bounds: DecodeBounds, sink: EventSink): number {
  shared.begin(bytes);
  if (exceedsEvents(shared, bounds)) return rejectCount(bytes, bounds, sink);
  shared.advance(bytes.length);
  if (shared.problem !== undefined) return rejectAll(bytes, shared.problem, sink);
  sink.fastValidator?.load(shared.json, 0, shared.ends.at(-1) ?? 0);
  let start = 0;
  for (const [index, end] of shared.ends.entries()) {
    if (sink.keepsSent) announceSent(index, bytes, shared, sink);
    emitLine(index, shared.json, start, end, bounds, sink);
    start = end + 1;
  }
  return shared.ends.length;
}

/**
 * {@link decodeMsgpack} in slices, for bodies that are too long for one event-loop turn. Yields the
 * number of events of each slice.
 */
export const sliceMsgpack: SlicedDecoder = function* (bytes, bounds, sink, slice = LIMITS) {
  const { sliceBytes, sliceEvents } = slice;
  // Other frames are decoded between two slices.
  const converter = new MsgpackToJson();
  converter.begin(bytes);
  if (exceedsEvents(converter, bounds)) return yield rejectCount(bytes, bounds, sink);
  while (!converter.advance(sliceBytes)) yield 0;
  if (converter.problem !== undefined) return yield rejectAll(bytes, converter.problem, sink);
  let [start, from, before] = [0, 0, 0];
  let isLoaded = false;
  for (const [index, end] of converter.ends.entries()) {
    if (start - from >= sliceBytes || index - before >= sliceEvents) {
      yield index - before;
      [from, before] = [start, index];
      isLoaded = false;
    }
    if (!isLoaded) {
      // An event begins within the slice and may be as long as the bounds permit.
      const loadedTo = Math.min(start + sliceBytes + bounds.maxEventBytes, converter.json.length);
      sink.fastValidator?.load(converter.json, start, loadedTo);
      isLoaded = true;
    }
    if (sink.keepsSent) announceSent(index, bytes, converter, sink);
    emitLine(index, converter.json, start, end, bounds, sink);
    start = end + 1;
  }
  yield converter.ends.length - before;
};

/** Announces the bytes of an event in the frame. */
function announceSent(
  index: number,
  bytes: Buffer,
  { sentEnds, firstStart }: MsgpackToJson,
  sink: EventSink,
): void {
  const start = index === 0 ? firstStart : sentEnds[index - 1]!;
  sink.sentAs?.(bytes, start, sentEnds[index]!);
}

/** Whether the frame declares too many events; it is then rejected without being decoded. */
function exceedsEvents({ problem, events }: MsgpackToJson, { maxEvents }: DecodeBounds): boolean {
  return problem === undefined && events > maxEvents;
}

function rejectAll(bytes: Buffer, problem: string, sink: EventSink): 1 {
  sink.rejectFrame('invalid_msgpack', problem, bytes);
  return 1;
}

/** Emits or rejects the event in the line `json[start, end)`. */
function emitLine(
  index: number,
  json: Buffer,
  start: number,
  end: number,
  bounds: DecodeBounds,
  sink: EventSink,
): void {
  const { fastValidator } = sink;
  const isShort = end - start <= bounds.maxEventBytes;
  if (isShort && fastValidator?.objectEnd(start, end, bounds.maxDepth) === end) {
    sink.validEvent(index, json, start, end, located.read(fastValidator.results, 0, json));
  } else emitText(index, json, start, end, bounds, sink);
}
