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

/** Receives rejected events, and frames without an event index. */
export type RejectionListener = (
  owner: Owner,
  frame: number,
  event: number | undefined,
  code: EventCode,
  message: string,
  /** Time until a retry can succeed, if known. */
  retryAfterMs?: number,
) => void;

/** State of a frame that is decoded in slices, carried from one slice to the next. */
export interface FrameProgress {
  /** The buffer accepted no frames when it arrived. */
  readonly noRoom: boolean;
  /** Count and last index of the events without a token. */
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
  /** As in {@link FrameProgress}; not counted without buckets. */
  #rateLimited = 0;
  #lastLimited = 0;
  #rejected = 0;
  #validBytes = 0;
  /** Codes of the frame whose message already names an event: clients receive one per code. */
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
   * Begins a frame: subsequent events belong to `frame` of `owner`, and arrived at `arrivedMs`.
   * @param tooLate reject valid events with `draining`: the connection is closing
   * @param buckets rates beyond which events are rejected `rate_limited`; {@link end} settles them
   */
  begin(owner: Owner, frame: number, tooLate = false, buckets?: Buckets, arrivedMs?: number): this {
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
    this.#arrivalMs = arrivedMs ?? this.#nowMs;
    let timestamp = Date.now();
    if (arrivedMs !== undefined) timestamp -= Math.round(this.#nowMs - arrivedMs);
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
   * Ends a decoded frame of `bytes`. Its rejected bytes take one token per
   * `LIMITS.rejectedBytesPerToken`, less the tokens that its rejected events have taken.
   */
  end(bytes: number): void {
    const buckets = this.#buckets;
    if (buckets === undefined || this.#rejected === 0) return;
    const tokens = Math.ceil((bytes - this.#validBytes) / LIMITS.rejectedBytesPerToken);
    if (tokens > this.#rejected) charge(buckets, tokens - this.#rejected, this.#nowMs);
    if (this.#rateLimited === 0) return;
    // The wait reported with the last event without a token has become longer.
    const { text } = EVENT_CODES.rate_limited;
    const longer = waitMs(buckets, this.#rateLimited);
    this.#owner.rejected(this.#frame, this.#lastLimited, 'rate_limited', text, longer);
  }

  /** Time since the arrival of the frame, in seconds. */
  get sinceArrivalSeconds(): number {
    return (performance.now() - this.#arrivalMs) / 1000;
  }

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

  get #ending(): boolean {
    return this.#draining || this.#tooLate;
  }

  /** Rejects a valid event of a frame that arrived too late or without room. */
  #rejectUnavailable(index: number): void {
    const code = this.#ending ? 'draining' : 'buffer_full';
    this.#reject(index, code, EVENT_CODES[code].text);
  }

  /**
   * Takes a token for the event, valid or not. Rejects the event if there is none, with the wait
   * until all events rejected so can be sent again.
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

  /** Takes a token for an event that the decoder rejected, going into debt if there is none. */
  #chargeRejected(code: EventCode): void {
    if (this.#buckets === undefined || EVENT_CODES[code].retry) return;
    this.#rejected++;
    charge(this.#buckets, 1, this.#nowMs);
  }

  #appended(index: number, code: EventCode | undefined): void {
    if (code === undefined) this.#owner.accepted(this.#frame, index);
    else this.#reject(index, code, REASONS[code] ?? EVENT_CODES[code].text);
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

/** Messages for rejections by the accumulator that say more than the catalog's text. */
const REASONS: Partial<Record<EventCode, string>> = {
  kafka_unavailable: 'the partitions of the topic are not known yet',
  too_large: 'larger than max.message.bytes of the topic',
};
