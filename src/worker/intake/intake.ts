import { EVENT_CODES, type EventCode } from '../../common/errors.ts';
import type { JsonObject } from '../../common/json-object.ts';
import { LIMITS } from '../../config/limits.ts';
import type { Accumulator } from '../accumulator/accumulator.ts';
import type { Owner } from '../accumulator/batch.ts';
import type { Topic } from '../accumulator/topic.ts';
import { type Buckets, charge, isInDebt, takeToken, waitMs } from '../admission/token-bucket.ts';
import type { EventSink } from '../decoder/event-sink.ts';
import type { Sieve } from '../decoder/json/fast-validator.ts';
import { KeyField } from '../decoder/key-field.ts';
import type { Keyless } from './keyless.ts';
import type { Validator } from './validator.ts';

/** Hears of events and frames that are not taken. */
export type Refuse = (
  owner: Owner,
  frame: number,
  event: number | undefined,
  code: EventCode,
  message: string,
  /** When it may come again, if that is known. */
  retryAfterMs?: number,
) => void;

/** What holds for all of a frame that is taken apart in slices. */
export interface SoFar {
  /** It came when the buffer took no frames. */
  readonly noRoom: boolean;
  /** How many of its events had no token, and the last of them. */
  readonly rateLimited: number;
  readonly lastLimited: number;
  /** How many of its events decoder or schema have rejected, and the bytes of all others. */
  readonly rejected: number;
  readonly soundBytes: number;
}

/** The decoder's sink: checks each event of a frame and hands the good ones on with their key. */
export class Intake implements EventSink {
  readonly sieve: Sieve | undefined;
  readonly #validate: Validator;
  readonly #accumulator: Accumulator;
  readonly #topic: Topic;
  readonly #key: KeyField;
  readonly #keyless: Pick<Keyless, 'count'>;
  readonly #refuse: Refuse;
  #owner!: Owner;
  #frame = 0;
  #arrivalMs = 0;
  #nowMs = 0;
  #draining = false;
  #tooLate = false;
  #noRoom = false;
  #buckets: Buckets | undefined;
  /** See {@link SoFar}; without buckets not counted. */
  #rateLimited = 0;
  #lastLimited = 0;
  #rejected = 0;
  #soundBytes = 0;
  /** Codes of the frame that have a message which names an event: clients hear one per code. */
  readonly #explained = new Set<EventCode>();

  /**
   * @param sieve lets through only what `validate` takes, and finds the key of `keyField` in it
   * @param topic of all its events
   */
  constructor(
    validate: Validator,
    sieve: Sieve | undefined,
    accumulator: Accumulator,
    topic: Topic,
    keyField: string,
    keyless: Pick<Keyless, 'count'>,
    refuse: Refuse,
  ) {
    this.#validate = validate;
    this.sieve = sieve;
    this.#accumulator = accumulator;
    this.#topic = topic;
    this.#key = new KeyField(keyField);
    this.#keyless = keyless;
    this.#refuse = refuse;
  }

  /** Arrival of the frame, by the monotonic clock. */
  get arrivalMs(): number {
    return this.#arrivalMs;
  }

  /**
   * What comes next belongs to `frame` of `owner`, and arrived at `arrivedMs`.
   * @param tooLate its good events are refused `draining`: the connection ends
   * @param buckets beyond which its events are refused `rate_limited`; {@link end} pays the rest
   */
  begin(owner: Owner, frame: number, tooLate = false, buckets?: Buckets, arrivedMs?: number): this {
    this.#owner = owner;
    this.#frame = frame;
    if (this.#explained.size > 0) this.#explained.clear();
    this.#tooLate = tooLate;
    this.#noRoom = !this.#accumulator.takesFrames;
    this.#buckets = buckets;
    this.#rateLimited = 0;
    this.#rejected = 0;
    this.#soundBytes = 0;
    this.#nowMs = performance.now();
    this.#arrivalMs = arrivedMs ?? this.#nowMs;
    let timestamp = Date.now();
    if (arrivedMs !== undefined) timestamp -= Math.round(this.#nowMs - arrivedMs);
    this.#accumulator.beginFrame(owner, frame, timestamp, this.#arrivalMs);
    return this;
  }

  /** What comes next belongs to a frame of which a part came before; {@link soFar} was this. */
  resume(owner: Owner, frame: number, buckets: Buckets | undefined, before: SoFar): this {
    this.begin(owner, frame, false, buckets);
    this.#noRoom = before.noRoom;
    this.#rateLimited = before.rateLimited;
    this.#lastLimited = before.lastLimited;
    this.#rejected = before.rejected;
    this.#soundBytes = before.soundBytes;
    return this;
  }

  /**
   * Refuses the frame as a whole if its sender owes tokens for what was rejected before: to decode
   * it would cost the sender nothing.
   * @returns whether it did
   */
  refusesDebtor(): boolean {
    const buckets = this.#buckets;
    if (buckets === undefined || !isInDebt(buckets, this.#nowMs)) return false;
    this.#refuse(
      this.#owner,
      this.#frame,
      undefined,
      'rate_limited',
      'rejected events have used up the rate',
      waitMs(buckets, 1),
    );
    return true;
  }

  /**
   * The frame is taken apart, and had `bytes`. What was rejected of it takes a token for each
   * `LIMITS.rejectedBytesPerToken`, unless there were as many rejected events, each with its token.
   */
  end(bytes: number): void {
    const buckets = this.#buckets;
    if (buckets === undefined || this.#rejected === 0) return;
    const tokens = Math.ceil((bytes - this.#soundBytes) / LIMITS.rejectedBytesPerToken);
    if (tokens > this.#rejected) charge(buckets, tokens - this.#rejected, this.#nowMs);
    if (this.#rateLimited === 0) return;
    // It was told when all that had no token may come, and the wait has become longer since.
    const { text } = EVENT_CODES.rate_limited;
    const longer = waitMs(buckets, this.#rateLimited);
    this.#owner.refused(this.#frame, this.#lastLimited, 'rate_limited', text, longer);
  }

  /** How long ago that was, in seconds. */
  get sinceArrivalSeconds(): number {
    return (performance.now() - this.#arrivalMs) / 1000;
  }

  get soFar(): SoFar {
    return {
      noRoom: this.#noRoom,
      rateLimited: this.#rateLimited,
      lastLimited: this.#lastLimited,
      rejected: this.#rejected,
      soundBytes: this.#soundBytes,
    };
  }

  /** From now on good events are refused `draining`: this instance stops. */
  drain(): void {
    this.#draining = true;
  }

  event(index: number, value: JsonObject, bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    if (this.#buckets !== undefined && this.#isOverRate(this.#buckets, index, length)) return;
    const wrong = this.#validate(value);
    if (wrong !== undefined) {
      this.#rejected++;
      this.#soundBytes -= length;
      return this.#tell(index, 'schema', wrong);
    }
    if (this.#ending || this.#noRoom) return this.#refuseForNow(index);
    const key = this.#key.keyOf(value, bytes, start);
    const code = this.#accumulator.append(this.#topic, index, bytes, start, end, key);
    this.#appended(index, code);
    if (key === undefined && code === undefined) this.#keyless.count(this.#key.whyNone(value));
  }

  known(
    index: number,
    bytes: Buffer,
    start: number,
    end: number,
    keyStart: number,
    keyBytes: number,
  ): void {
    if (this.#buckets !== undefined && this.#isOverRate(this.#buckets, index, end - start)) return;
    if (this.#ending || this.#noRoom) return this.#refuseForNow(index);
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

  /** Refuses a good event of a frame of which none is taken. */
  #refuseForNow(index: number): void {
    const code = this.#ending ? 'draining' : 'buffer_full';
    this.#tell(index, code, EVENT_CODES[code].text);
  }

  /**
   * Takes the event's token, whatever becomes of the event. Refuses it if there is none: it may come
   * when all that were refused may.
   */
  #isOverRate(buckets: Buckets, index: number, bytes: number): boolean {
    this.#soundBytes += bytes;
    if (takeToken(buckets, this.#nowMs)) return false;
    this.#rateLimited++;
    this.#lastLimited = index;
    const { text } = EVENT_CODES.rate_limited;
    this.#tell(index, 'rate_limited', text, waitMs(buckets, this.#rateLimited));
    return true;
  }

  /** What the decoder rejects has no token yet: it takes one, there or not. */
  #payRejected(code: EventCode): void {
    if (this.#buckets === undefined || EVENT_CODES[code].retry) return;
    this.#rejected++;
    charge(this.#buckets, 1, this.#nowMs);
  }

  #appended(index: number, code: EventCode | undefined): void {
    if (code === undefined) this.#owner.accepted(this.#frame, index);
    else this.#tell(index, code, REASONS[code] ?? EVENT_CODES[code].text);
  }

  refuseEvent(index: number, code: EventCode, message: string): void {
    this.#payRejected(code);
    this.#tell(index, code, message);
  }

  #tell(index: number, code: EventCode, message: string, retryAfterMs?: number): void {
    let text = message;
    if (!this.#explained.has(code)) {
      this.#explained.add(code);
      text = `event ${index}: ${message}`;
    }
    this.#refuse(this.#owner, this.#frame, index, code, text, retryAfterMs);
  }

  refuseFrame(code: EventCode, message: string): void {
    this.#payRejected(code);
    this.#refuse(this.#owner, this.#frame, undefined, code, message);
  }
}

/** Reasons of the accumulator not to take an event, where the catalogue's text says less. */
const REASONS: Partial<Record<EventCode, string>> = {
  kafka_unavailable: 'the partitions of the topic are not known yet',
  too_large: 'longer than the topic takes',
};
