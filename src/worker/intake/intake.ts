import { EVENT_CODES, type EventCode } from '../../common/errors.ts';
import type { JsonObject } from '../../common/json-object.ts';
import { LIMITS } from '../../config/limits.ts';
import type { Accumulator } from '../accumulator/accumulator.ts';
import type { Owner } from '../accumulator/batch.ts';
import type { Topic } from '../accumulator/topic.ts';
import { type Buckets, charge, isInDebt, takeToken, waitMs } from '../admission/token-bucket.ts';
import type { EventSink } from '../decoder/event-sink.ts';
import type { FastValidator } from '../decoder/json/fast-validator.ts';
import { KeyField } from '../decoder/key-field.ts';
import type { KeylessEvents } from './keyless-events.ts';
import type { Validator } from './validator.ts';

/** Receives rejected events; without an event index, rejected frames. */
export type RejectionListener = (
  owner: Owner,
  frame: number,
  event: number | undefined,
  code: EventCode,
  message: string,
  /** Time until a retry can succeed, if known. */
  retryAfterMs?: number,
) => void;

/** State of a frame decoded in slices, carried from one slice to the next. */
export interface FrameProgress {
  /** The buffer accepted no frames when this one arrived. */
  readonly noRoom: boolean;
  /** Count and last index of the events rejected by a rate limit. */
  readonly rateLimited: number;
  readonly lastLimited: number;
  /** Count of events that the decoder or the schema rejected, and bytes of all others. */
  readonly rejected: number;
  readonly validBytes: number;
}

/** Sink of the decoder: validates the events of a frame, and appends valid ones with their key. */
export class Intake implements EventSink {
  readonly fastValidator: FastValidator | undefined;
  readonly #validate: Validator;
  readonly #accumulator: Accumulator;
  readonly #topic: Topic;
  readonly #key: KeyField;
  readonly #keyless: Pick<KeylessEvents, 'count'>;
  readonly #onRejection: RejectionListener;
  #owner!: Owner;
  #frame = 0;
  #arrivalMs = 0;
  #nowMs = 0;
  #draining = false;
  #tooLate = false;
  #noRoom = false;
  #buckets: Buckets | undefined;
  /** {@link FrameProgress} of the current frame; not counted without buckets. */
  #rateLimited = 0;
  #lastLimited = 0;
  #rejected = 0;
  #validBytes = 0;
  /** Codes of the frame with a message that names an event: clients receive one per code. */
  readonly #explained = new Set<EventCode>();

  /**
   * @param fastValidator accepts a subset of what `validate` accepts, and finds the key
   * @param topic destination of all events
   */
  constructor(
    validate: Validator,
    fastValidator: FastValidator | undefined,
    accumulator: Accumulator,
    topic: Topic,
    keyField: string,
    keyless: Pick<KeylessEvents, 'count'>,
    onRejection: RejectionListener,
  ) {
    this.#validate = validate;
    this.fastValidator = fastValidator;
    this.#accumulator = accumulator;
    this.#topic = topic;
    this.#key = new KeyField(keyField);
    this.#keyless = keyless;
    this.#onRejection = onRejection;
  }

  /** Arrival of the frame, on the monotonic clock. */
  get arrivalMs(): number {
    return this.#arrivalMs;
  }

  /**
   * Begins a frame: subsequent events belong to `frame` of `owner`.
   * @param tooLate reject valid events with `draining`: the connection is closing
   * @param buckets rate limits, whose excess is `rate_limited`; {@link end} charges rejected bytes
   * @param arrivalMs arrival on the monotonic clock, if earlier than now
   */
  begin(owner: Owner, frame: number, tooLate = false, buckets?: Buckets, arrivalMs?: number): this {
    this.#owner = owner;
    this.#frame = frame;
    if (this.#explained.size > 0) this.#explained.clear();
    this.#tooLate = tooLate;
    this.#noRoom = !this.#accumulator.acceptsFrames;
    this.#buckets = buckets;
    this.#rateLimited = 0;
    this.#rejected = 0;
    this.#validBytes = 0;
    this.#nowMs = performance.now();
    this.#arrivalMs = arrivalMs ?? this.#nowMs;
    let timestamp = Date.now();
    if (arrivalMs !== undefined) timestamp -= Math.round(this.#nowMs - arrivalMs);
    this.#accumulator.beginFrame(owner, frame, timestamp, this.#arrivalMs);
    return this;
  }

  /** Continues a frame decoded in slices. @param before {@link progress} after the last slice */
  resume(owner: Owner, frame: number, buckets: Buckets | undefined, before: FrameProgress): this {
    this.begin(owner, frame, false, buckets);
    this.#noRoom = before.noRoom;
    this.#rateLimited = before.rateLimited;
    this.#lastLimited = before.lastLimited;
    this.#rejected = before.rejected;
    this.#validBytes = before.validBytes;
    return this;
  }

  /**
   * Rejects the whole frame if its sender owes tokens for earlier rejections: decoding it would
   * cost the sender nothing.
   * @returns whether the frame was rejected
   */
  rejectIfInDebt(): boolean {
    const buckets = this.#buckets;
    if (buckets === undefined || !isInDebt(buckets, this.#nowMs)) return false;
    this.#onRejection(
      this.#owner,
      this.#frame,
      undefined,
      'rate_limited',
      'event rate limit used up by rejected events',
      waitMs(buckets, 1),
    );
    return true;
  }

  /**
   * Ends a decoded frame of `bytes`. Its rejected bytes cost one token per
   * `LIMITS.rejectedBytesPerToken`, minus the tokens that its rejected events have already taken.
   */
  end(bytes: number): void {
    const buckets = this.#buckets;
    if (buckets === undefined || this.#rejected === 0) return;
    const tokens = Math.ceil((bytes - this.#validBytes) / LIMITS.rejectedBytesPerToken);
    if (tokens > this.#rejected) charge(buckets, tokens - this.#rejected, this.#nowMs);
    if (this.#rateLimited === 0) return;
    // The charge extends the wait that was reported with the last rate-limited event.
    const { text } = EVENT_CODES.rate_limited;
    const longer = waitMs(buckets, this.#rateLimited);
    this.#owner.rejected(this.#frame, this.#lastLimited, 'rate_limited', text, longer);
  }

  /** Time since the arrival of the frame, in seconds. */
  get sinceArrivalSeconds(): number {
    return (performance.now() - this.#arrivalMs) / 1000;
  }

  /** State to {@link resume} the frame with. */
  get progress(): FrameProgress {
    return {
      noRoom: this.#noRoom,
      rateLimited: this.#rateLimited,
      lastLimited: this.#lastLimited,
      rejected: this.#rejected,
      validBytes: this.#validBytes,
    };
  }

  /** Rejects valid events with `draining` from now on: this instance is stopping. */
  drain(): void {
    this.#draining = true;
  }

  event(index: number, value: JsonObject, bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    if (this.#buckets !== undefined && this.#isOverRate(this.#buckets, index, length)) return;
    const problem = this.#validate(value);
    if (problem !== undefined) {
      this.#rejected++;
      this.#validBytes -= length;
      return this.#reject(index, 'schema', problem);
    }
    if (this.#ending || this.#noRoom) return this.#rejectUnavailable(index);
    const key = this.#key.keyOf(value, bytes, start);
    const code = this.#accumulator.append(this.#topic, index, bytes, start, end, key);
    this.#appended(index, code);
    if (key === undefined && code === undefined)
      this.#keyless.count(this.#key.reasonForNoKey(value));
  }

  validEvent(
    index: number,
    bytes: Buffer,
    start: number,
    end: number,
    keyStart: number,
    keyBytes: number,
  ): void {
    if (this.#buckets !== undefined && this.#isOverRate(this.#buckets, index, end - start)) return;
    if (this.#ending || this.#noRoom) return this.#rejectUnavailable(index);
    const code = this.#accumulator.appendWithKey(
      this.#topic,
      index,
      bytes,
      start,
      end,
      bytes,
      keyStart,
      keyBytes,
    );
    this.#appended(index, code);
    if (keyBytes < 0 && code === undefined) this.#keyless.count('missing');
  }

  /** The instance or the connection is closing. */
  get #ending(): boolean {
    return this.#draining || this.#tooLate;
  }

  /** Rejects a valid event: its frame arrived too late, or when the buffer had no room. */
  #rejectUnavailable(index: number): void {
    const code = this.#ending ? 'draining' : 'buffer_full';
    this.#reject(index, code, EVENT_CODES[code].text);
  }

  /**
   * Takes a token for the event, valid or not. Without a token, rejects the event, with the wait
   * until all rate-limited events of the frame can be sent again.
   */
  #isOverRate(buckets: Buckets, index: number, bytes: number): boolean {
    this.#validBytes += bytes;
    if (takeToken(buckets, this.#nowMs)) return false;
    this.#rateLimited++;
    this.#lastLimited = index;
    const { text } = EVENT_CODES.rate_limited;
    this.#reject(index, 'rate_limited', text, waitMs(buckets, this.#rateLimited));
    return true;
  }

  /** Charges a token for an event or frame that the decoder rejected, into debt if need be. */
  #chargeRejected(code: EventCode): void {
    if (this.#buckets === undefined || EVENT_CODES[code].retry) return;
    this.#rejected++;
    charge(this.#buckets, 1, this.#nowMs);
  }

  /** Reports the result of an append. */
  #appended(index: number, code: EventCode | undefined): void {
    if (code === undefined) this.#owner.accepted(this.#frame, index);
    else this.#reject(index, code, APPEND_MESSAGES[code] ?? EVENT_CODES[code].text);
  }

  rejectEvent(index: number, code: EventCode, message: string): void {
    this.#chargeRejected(code);
    this.#reject(index, code, message);
  }

  #reject(index: number, code: EventCode, message: string, retryAfterMs?: number): void {
    let text = message;
    if (!this.#explained.has(code)) {
      this.#explained.add(code);
      text = `event ${index}: ${message}`;
    }
    this.#onRejection(this.#owner, this.#frame, index, code, text, retryAfterMs);
  }

  rejectFrame(code: EventCode, message: string): void {
    this.#chargeRejected(code);
    this.#onRejection(this.#owner, this.#frame, undefined, code, message);
  }
}

/** Messages of rejections by the accumulator, where they are more precise than the catalog's. */
const APPEND_MESSAGES: Partial<Record<EventCode, string>> = {
  kafka_unavailable: 'the partitions of the topic are not known yet',
  too_large: 'larger than max.message.bytes of the topic',
};
