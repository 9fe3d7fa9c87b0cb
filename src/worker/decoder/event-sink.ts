import type { EventCode } from '../../common/errors.ts';
import type { JsonObject } from '../../common/json-object.ts';
import type { FastValidator } from './kernel/fast-validator.ts';
import type { LocatedFields } from './kernel/located-fields.ts';

/** Receives the events of a frame or body. All calls precede the return of the decoder. */
export interface EventSink {
  /** Event `index` of the frame. Its bytes without surrounding white space: `bytes[start, end)`. */
  event(index: number, value: JsonObject, bytes: Buffer, start: number, end: number): void;
  /** Accepts events that need no value; undefined = every event is parsed into a value. */
  readonly fastValidator?: FastValidator | undefined;
  /** Event that {@link fastValidator} accepted; its fields are valid during the call. */
  validEvent(index: number, bytes: Buffer, start: number, end: number, fields: LocatedFields): void;
  /** Some events are stored as they were sent: {@link sentAs} is called. */
  readonly keepsSent?: boolean;
  /** Before the call for an event, valid or not: the event was sent in another format, as `bytes[start, end)`. */
  sentAs?(bytes: Buffer, start: number, end: number): void;
  /** Event `index`, `bytes[start, end)`, is rejected; the others of the frame are not affected. */
  rejectEvent(
    index: number,
    code: EventCode,
    message: string,
    bytes: Buffer,
    start: number,
    end: number,
  ): void;
  /** The whole frame `bytes` is rejected, counting as one event. The only call for the frame. */
  rejectFrame(code: EventCode, message: string, bytes: Buffer): void;
}

/**
 * Counts the events of a frame or body in one pass, without validating it. The count is exact
 * unless there are syntax errors.
 * @returns undefined = more than `eventsMax`, or broken; such a frame counts as one event
 */
export type EventCounter = (bytes: Buffer, eventsMax: number) => number | undefined;
