/**
 * Sink of the decoder. Invariant: each event of a frame has one result, accepted or rejected, and
 * counts as received for the stream that its result counts for.
 */
import { EVENT_CODES, type EventCode } from '../../common/errors.ts';
import type { JsonObject } from '../../common/json-object.ts';
import { LIMITS } from '../../config/limits.ts';
import { type Counters, cells } from '../../metrics/counters.ts';
import { NO_STREAM_CELLS } from '../../metrics/slots.ts';
import type { Accumulator } from '../accumulator/accumulator.ts';
import type { Owner } from '../accumulator/batch.ts';
import { type Buckets, charge, isInDebt, takeToken, waitMs } from '../admission/token-bucket.ts';
import type { EventSink } from '../decoder/event-sink.ts';
import type { LocatedFields } from '../decoder/json/fast-profile.ts';
import type { FastValidator } from '../decoder/json/fast-validator.ts';
import { NO_PROVENANCE, type Provenance } from '../streams/provenance.ts';
import type { Route } from '../streams/route.ts';
import { REMOVED_STREAM_TEXT, type Stream, type StreamRejection } from '../streams/stream.ts';
import type { FrameProgress } from './frame-progress.ts';
import { RecordAppender } from './record-appender.ts';
import type { RejectionListener } from './rejection-listener.ts';

const RECEIVED = cells('forebay_events_received_total', ['ws', 'http']);

/** Selects the stream of each event of a frame, validates it, and appends a valid one. */
export class Intake implements EventSink {
  readonly #accumulator: Accumulator;
  readonly #appender: RecordAppender;
  readonly #counters: Counters;
  readonly #onRejection: RejectionListener;
  #route!: Route;
  /** The stream of all events of the frame; undefined = the route selects one for each. */
  #stream: Stream | undefined;
  #owner!: Owner;
  #frame = 0;
  #arrivalMs = 0;
  #nowMs = 0;
  #draining = false;
  #tooLate = false;
  #noRoom = false;
  #routedRoom: Map<Stream, boolean> | undefined;
  #buckets: Buckets | undefined;
  /** Offset of the cells of the frame's stream in the metrics; of no stream, if it has several. */
  #cells = 0;
  /** Events counted as received for the streams that the route has selected. */
  #routed = 0;
  /** {@link FrameProgress} of the current frame; not counted without buckets. */
  #rateLimited = 0;
  #streamLimited: Map<Stream, number> | undefined;
  #lastLimited = 0;
  #rejected = 0;
  #validBytes = 0;
  /** Codes of the frame with a message that names an event: clients receive one per code. */
  readonly #explained = new Set<EventCode>();

  constructor(accumulator: Accumulator, counters: Counters, onRejection: RejectionListener) {
    this.#accumulator = accumulator;
    this.#appender = new RecordAppender(accumulator);
    this.#counters = counters;
    this.#onRejection = onRejection;
  }

  /** Fast validator of the frame's route. */
  get fastValidator(): FastValidator | undefined {
    return this.#route.fastValidator;
  }

  /** See EventSink. */
  get keepsSent(): boolean {
    return this.#route.keepsSent;
  }

  /** Arrival of the frame, on the monotonic clock. */
  get arrivalMs(): number {
    return this.#arrivalMs;
  }

  /**
   * Begins a frame: subsequent events belong to `frame` of `owner`.
   * @param route selects the streams of its events, to its end
   * @param tooLate reject valid events with `draining`: the connection is closing
   * @param buckets rate limits, whose excess is `rate_limited`; {@link end} charges rejected bytes
   * @param arrivalMs arrival on the monotonic clock, if earlier than now
   * @param provenance of its records
   * @param arrivalTime arrival in ms since 1970, if `arrivalMs` is later
   */
  begin(
    owner: Owner,
    frame: number,
    route: Route,
    tooLate = false,
    buckets?: Buckets,
    arrivalMs?: number,
    provenance = NO_PROVENANCE,
    arrivalTime?: number,
  ): this {
    this.#owner = owner;
    this.#frame = frame;
    this.#route = route;
    this.#stream = route.stream;
    this.#cells = route.stream === undefined ? NO_STREAM_CELLS : route.stream.cells;
    this.#routed = 0;
    if (this.#explained.size > 0) this.#explained.clear();
    this.#tooLate = tooLate;
    this.#noRoom =
      route.stream !== undefined && !this.#accumulator.acceptsFrames(route.stream.topic);
    this.#routedRoom = undefined;
    this.#buckets = buckets;
    this.#rateLimited = 0;
    this.#streamLimited = undefined;
    this.#rejected = 0;
    this.#validBytes = 0;
    this.#nowMs = performance.now();
    this.#arrivalMs = arrivalMs ?? this.#nowMs;
    let timestamp = arrivalTime ?? Date.now();
    if (arrivalMs !== undefined) timestamp -= Math.round(this.#nowMs - arrivalMs);
    const { arrivalMs: arrived } = this;
    this.#appender.beginFrame(owner, frame, timestamp, arrived, this.#cells, provenance);
    return this;
  }

  /**
   * Counts events as received that the decoder has passed on since {@link begin} or {@link resume}:
   * of the frame's stream, or of none as far as the route has not selected one.
   */
  countReceived(events: number): void {
    const received = this.#owner.transport === 'ws' ? RECEIVED.ws : RECEIVED.http;
    this.#counters.add(received + this.#cells, events - this.#routed);
    this.#routed = 0;
    this.#appender.countDecoded(events);
  }

  /** Continues a frame decoded in slices. @param before {@link progress} after the last slice */
  resume(
    owner: Owner,
    frame: number,
    route: Route,
    buckets: Buckets | undefined,
    provenance: Provenance,
    before: FrameProgress,
  ): this {
    this.begin(owner, frame, route, false, buckets, undefined, provenance, before.arrivalTime);
    this.#noRoom = before.noRoom;
    this.#routedRoom = before.routedRoom;
    this.#rateLimited = before.rateLimited;
    this.#streamLimited = before.streamLimited;
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
      this.#cells,
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
      arrivalTime: this.#appender.arrivalTime,
      noRoom: this.#noRoom,
      routedRoom: this.#routedRoom,
      rateLimited: this.#rateLimited,
      streamLimited: this.#streamLimited,
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
    const stream = this.#stream ?? this.#select(this.#route.streamOf(value));
    if (typeof stream === 'string') return this.#rejectStreamless(index, stream, length);
    const problem = stream.validate(value);
    if (problem !== undefined) {
      return this.#rejectInvalid(index, 'schema', length, problem, stream.cells);
    }
    if (this.#isUnavailable(stream, index, length)) return;
    const { format, topic } = stream;
    const key = stream.key.keyOf(value, bytes, start);
    const code =
      format === undefined
        ? this.#accumulator.append(topic, index, bytes, start, end, key)
        : this.#appender.appendParsed(topic, format, index, value, bytes, start, end, key);
    this.#appended(stream, index, code);
    if (key !== undefined || code !== undefined) return;
    const reason = stream.key.reasonForNoKey(value, bytes, start);
    if (reason !== undefined) stream.keyless.count(reason);
  }

  validEvent(
    index: number,
    bytes: Buffer,
    start: number,
    end: number,
    fields: LocatedFields,
  ): void {
    const length = end - start;
    if (this.#buckets !== undefined && this.#isOverRate(this.#buckets, index, length)) return;
    const stream = this.#stream ?? this.#select(this.#route.streamAt(fields.profile));
    if (typeof stream === 'string') return this.#rejectStreamless(index, stream, length);
    if (this.#isUnavailable(stream, index, length)) return;
    const { format, topic } = stream;
    const { keyStart: from, keyBytes } = fields;
    const code =
      format === undefined
        ? this.#accumulator.appendWithKey(topic, index, bytes, start, end, bytes, from, keyBytes)
        : this.#appender.appendLocated(topic, format, index, bytes, start, end, fields);
    this.#appended(stream, index, code);
    if (keyBytes < 0 && code === undefined && stream.key.exists) stream.keyless.count('missing');
  }

  sentAs(bytes: Buffer, start: number, end: number): void {
    this.#appender.sentAs(bytes, start, end);
  }

  /** Counts an event as received for the stream that the route has selected for it. */
  #select(stream: Stream | StreamRejection): Stream | StreamRejection {
    if (typeof stream === 'string') return stream;
    const received = this.#owner.transport === 'ws' ? RECEIVED.ws : RECEIVED.http;
    this.#counters.add(received + stream.cells);
    this.#routed++;
    this.#accumulator.useStream(stream.cells);
    return stream;
  }

  /** The instance or the connection is closing. */
  get #ending(): boolean {
    return this.#draining || this.#tooLate;
  }

  /** Whether the buffer accepts the frame's events of a stream; decided at the first of them. */
  #hasRoom(stream: Stream): boolean {
    if (stream === this.#stream) return true;
    this.#routedRoom ??= new Map();
    let hasRoom = this.#routedRoom.get(stream);
    if (hasRoom === undefined) {
      hasRoom = this.#accumulator.acceptsFrames(stream.topic);
      this.#routedRoom.set(stream, hasRoom);
    }
    return hasRoom;
  }

  /** Rejects an event that no stream accepts. */
  #rejectStreamless(index: number, code: StreamRejection, length: number): void {
    if (code === 'draining') this.#reject(index, code, REMOVED_STREAM_TEXT, this.#cells);
    else this.#rejectInvalid(index, code, length, EVENT_CODES[code].text, this.#cells);
  }

  /** Rejects an event that no retry can make valid; {@link #isOverRate} has counted its bytes. */
  #rejectInvalid(
    index: number,
    code: Exclude<StreamRejection, 'draining'> | 'schema' | 'too_large',
    length: number,
    message: string,
    cells: number,
  ): void {
    this.#rejected++;
    this.#validBytes -= length;
    this.#reject(index, code, message, cells);
  }

  /**
   * Rejects a valid event that its stream does not accept now: its frame arrived too late, or when
   * the buffer had no room, or the event exceeds a limit of the stream.
   * @returns whether it was rejected
   */
  #isUnavailable(stream: Stream, index: number, length: number): boolean {
    if (this.#ending || this.#noRoom || !this.#hasRoom(stream)) {
      const code = this.#ending ? 'draining' : 'buffer_full';
      this.#reject(index, code, EVENT_CODES[code].text, stream.cells);
      return true;
    }
    const stored = stream.format?.keepsSent ? Math.max(length, this.#appender.sentBytes) : length;
    if (stored > stream.maxEventBytes) {
      const text = `${stored} bytes exceed the limit of ${stream.maxEventBytes}`;
      this.#rejectInvalid(index, 'too_large', length, text, stream.cells);
      return true;
    }
    const { buckets } = stream;
    if (buckets === undefined || takeToken(buckets, this.#nowMs)) return false;
    const message = `rate limit of the stream ${stream.name} exceeded`;
    this.#streamLimited ??= new Map();
    const limited = (this.#streamLimited.get(stream) ?? 0) + 1;
    this.#streamLimited.set(stream, limited);
    const retryAfterMs = waitMs(buckets, limited);
    this.#reject(index, 'rate_limited', message, stream.cells, retryAfterMs);
    return true;
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
    this.#reject(index, 'rate_limited', text, this.#cells, waitMs(buckets, this.#rateLimited));
    return true;
  }

  /** Charges a token for an event or frame that the decoder rejected, into debt if need be. */
  #chargeRejected(code: EventCode): void {
    if (this.#buckets === undefined || EVENT_CODES[code].retry) return;
    this.#rejected++;
    charge(this.#buckets, 1, this.#nowMs);
  }

  /** Reports the result of an append. */
  #appended({ cells }: Stream, index: number, code: EventCode | undefined): void {
    if (code === undefined) this.#owner.accepted(this.#frame, index, cells);
    else this.#reject(index, code, APPEND_MESSAGES[code] ?? EVENT_CODES[code].text, cells);
  }

  rejectEvent(index: number, code: EventCode, message: string): void {
    this.#chargeRejected(code);
    this.#reject(index, code, message, this.#cells);
  }

  #reject(
    index: number,
    code: EventCode,
    message: string,
    cells: number,
    retryAfterMs?: number,
  ): void {
    let text = message;
    if (!this.#explained.has(code)) {
      this.#explained.add(code);
      text = `event ${index}: ${message}`;
    }
    this.#onRejection(this.#owner, this.#frame, index, code, text, cells, retryAfterMs);
  }

  rejectFrame(code: EventCode, message: string): void {
    this.#chargeRejected(code);
    this.#onRejection(this.#owner, this.#frame, undefined, code, message, this.#cells);
  }
}

/** Messages of rejections by the accumulator, where they are more precise than the catalog's. */
const APPEND_MESSAGES: Partial<Record<EventCode, string>> = {
  kafka_unavailable: 'the partitions of the topic are not known yet',
  too_large: 'larger than max.message.bytes of the topic',
};
