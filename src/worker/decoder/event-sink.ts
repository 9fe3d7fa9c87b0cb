import type { EventCode } from '../../common/errors.ts';
import type { JsonObject } from '../../common/json-object.ts';
import type { Sieve } from './json/fast-validator.ts';

/** What a decoder makes of a frame or body. All calls come before the decoder returns. */
export interface EventSink {
  /** Event `index` of the frame: its own bytes, white space cut off, are `bytes[start, end)`. */
  event(index: number, value: JsonObject, bytes: Buffer, start: number, end: number): void;
  /** Lets through what need not have a value; none = every event gets its value. */
  readonly sieve?: Sieve | undefined;
  /** The same for an event that {@link sieve} let through: its key stands in `bytes`; -1 = none. */
  known(
    index: number,
    bytes: Buffer,
    start: number,
    end: number,
    keyStart: number,
    keyBytes: number,
  ): void;
  /** Event `index` cannot be taken; its neighbours can. */
  refuseEvent(index: number, code: EventCode, message: string): void;
  /** The frame could not be taken apart: no other call came or comes; counts as one event. */
  refuseFrame(code: EventCode, message: string): void;
}

export interface DecodeBounds {
  /** Beyond it the whole frame is refused `too_many_events`. */
  readonly maxEvents: number;
  /** Bytes of one event; beyond it the event is refused `too_large`. */
  readonly maxEventBytes: number;
  /** Arrays and objects in each other, the event itself the first; beyond it the event is refused
   * `too_deep`. */
  readonly maxDepth: number;
}
