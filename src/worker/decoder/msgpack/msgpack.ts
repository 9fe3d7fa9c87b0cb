/** MessagePack to events ("MessagePack" in docs/protocol.md): what goes on is JSON. */
import { LIMITS } from '../../../config/limits.ts';
import type { DecodeBounds, EventSink } from '../event-sink.ts';
import type { SlicedDecoder } from '../json/slices.ts';
import { refuseCount, takeText } from '../json/take.ts';
import { Transcoder } from './msgpack-to-json.ts';

/** Of what is taken apart in one go: one after the other. */
const shared = new Transcoder();

/**
 * Takes apart a binary frame, or a body of type application/msgpack; `bytes` may be anything.
 * @returns how many events were received, refused ones included
 */
export function decodeMsgpack(bytes: Buffer, bounds: DecodeBounds, sink: EventSink): number {
  shared.begin(bytes);
  if (hasMoreEvents(shared, bounds)) return refuseCount(bounds, sink);
  shared.advance(bytes.length);
  if (shared.problem !== undefined) return refuseAll(shared.problem, sink);
  let start = 0;
  for (const [index, end] of shared.ends.entries()) {
    takeLine(index, shared.json, start, end, bounds, sink);
    start = end + 1;
  }
  return shared.ends.length;
}

/**
 * {@link decodeMsgpack} in slices, for what is too long for one turn of the loop. Yields how many
 * events were received in each.
 */
export const sliceMsgpack: SlicedDecoder = function* (bytes, bounds, sink, slice = LIMITS) {
  const { sliceBytes, sliceEvents } = slice;
  // Others may be taken apart between two slices.
  const own = new Transcoder();
  own.begin(bytes);
  if (hasMoreEvents(own, bounds)) return yield refuseCount(bounds, sink);
  while (!own.advance(sliceBytes)) yield 0;
  if (own.problem !== undefined) return yield refuseAll(own.problem, sink);
  let [start, from, before] = [0, 0, 0];
  for (const [index, end] of own.ends.entries()) {
    if (start - from >= sliceBytes || index - before >= sliceEvents) {
      yield index - before;
      [from, before] = [start, index];
    }
    takeLine(index, own.json, start, end, bounds, sink);
    start = end + 1;
  }
  yield own.ends.length - before;
};

/** It is as many as the frame says, if it can be so many: nothing else of it is looked at then. */
function hasMoreEvents({ problem, events }: Transcoder, { maxEvents }: DecodeBounds): boolean {
  return problem === undefined && events > maxEvents;
}

function refuseAll(problem: string, sink: EventSink): 1 {
  sink.refuseFrame('invalid_msgpack', problem);
  return 1;
}

/** Hands on the event whose JSON is `json[start, end)`, a line of its own. */
function takeLine(
  index: number,
  json: Buffer,
  start: number,
  end: number,
  bounds: DecodeBounds,
  sink: EventSink,
): void {
  const { sieve } = sink;
  const isShort = end - start <= bounds.maxEventBytes;
  if (isShort && sieve?.objectEnd(json, start, end, bounds.maxDepth) === end) {
    sink.known(index, json, start, end, sieve.keyStart, sieve.keyBytes);
  } else takeText(index, json, start, end, bounds, sink);
}
