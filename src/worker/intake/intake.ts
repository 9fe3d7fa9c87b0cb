/**
 * Sink of the decoder. Invariant: each event of a frame has one result, accepted or rejected, and
 * counts as received for the stream that its result counts for.
 */
import { EVENT_CODES, type EventCode } from '../../common/errors.ts';
import type { JsonObject } from '../../common/json-object.ts';
import { type Counters, cells } from '../../metrics/counters.ts';
import { NO_STREAM_CELLS } from '../../metrics/slots.ts';
import type { RecordSink } from '../accumulator/accumulator.ts';
import type { Owner } from '../accumulator/batch.ts';
import type { Buckets } from '../admission/token-bucket.ts';
import type { EventCounter, EventSink } from '../decoder/event-sink.ts';
import type { FastValidator } from '../decoder/kernel/fast-validator.ts';
import type { LocatedFields } from '../decoder/kernel/located-fields.ts';
import { NO_PROVENANCE, type Provenance } from '../streams/provenance.ts';
import type { Route } from '../streams/route.ts';
import { REMOVED_STREAM_TEXT, type Stream, type StreamRejection } from '../streams/stream.ts';
import type { FrameProgress } from './frame-progress.ts';
import { FrameRate } from './frame-rate.ts';
import { FrameRejections } from './frame-rejections.ts';
import { FrameRoom } from './frame-room.ts';
import type { IntakeObservers } from './intake-observers.ts';
import { appendMessage, RecordAppender } from './record-appender.ts';
import type { RejectionListener } from './rejection-listener.ts';
import { StreamRates } from './stream-rates.ts';

const RECEIVED = cells('forebay_events_received_total', ['ws', 'http']);
const DECIDED = cells('forebay_events_decided_total', ['bytes', 'value']);

/** Selects the stream of each event of a frame, validates it, and appends a valid one. */
export class Intake implements EventSink {
  readonly #accumulator: RecordSink;
  readonly #appender: RecordAppender;
  readonly #counters: Pick<Counters, 'add'>;
  readonly #isDryRun: boolean;
  readonly #rejections: FrameRejections;
  #route!: Route;
  /** The stream of all events of the frame; undefined = the route selects one for each. */
  #stream: Stream | undefined;
  #owner!: Owner;
  #frame = 0;
  #arrivalMs = 0;
  #draining = false;
  #tooLate = false;
  readonly #rate = new FrameRate();
  readonly #room: FrameRoom;
  /** Offset of the cells of the frame's stream in the metrics; of no stream, if it has several. */
  #cells = 0;
  /** Events counted as received for the streams that the route has selected. */
  #routed = 0;
  readonly #streamRates = new StreamRates();

  constructor(
    accumulator: RecordSink,
    counters: Pick<Counters, 'add'>,
    onRejection: RejectionListener,
    { deadLetters, violations, isDryRun = false }: IntakeObservers = {},
  ) {
    this.#isDryRun = isDryRun;
    this.#accumulator = accumulator;
    this.#room = new FrameRoom(accumulator);
    this.#appender = new RecordAppender(accumulator, deadLetters);
    this.#counters = counters;
    this.#rejections = new FrameRejections(onRejection, violations);
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
   * @param buckets rate limits, whose excess is `rate_limited`; see {@link FrameRate}
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
    this.#rejections.begin(owner, frame);
    this.#tooLate = tooLate;
    this.#room.begin(route.stream);
    const nowMs = performance.now();
    this.#streamRates.begin(nowMs);
    this.#rate.begin(buckets, nowMs);
    this.#arrivalMs = arrivalMs ?? nowMs;
    let timestamp = arrivalTime ?? Date.now();
    if (arrivalMs !== undefined) timestamp -= Math.round(nowMs - arrivalMs);
    const { arrivalMs: arrived } = this;
    const { deadLetter } = route;
    const cells = this.#cells;
    this.#appender.beginFrame(owner, frame, timestamp, arrived, cells, provenance, deadLetter);
    return this;
  }

  /**
   * Counts the decoded events since {@link begin} or {@link resume} as received: of the frame's
   * stream, or of none as far as the route has not selected one.
   */
  countReceived(events: number): void {
    this.#counters.add(RECEIVED[this.#owner.transport] + this.#cells, events - this.#routed);
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
    this.#room.resume(before.room);
    this.#streamRates.resume(before.streamLimited);
    this.#rate.resume(before.rate);
    return this;
  }

  /**
   * Rejects the whole frame if its sender owes tokens for earlier rejections, since decoding it
   * would cost the sender nothing. @returns whether it was rejected
   */
  rejectIfInDebt(): boolean {
    const { debtMs } = this.#rate;
    if (debtMs === undefined) return false;
    const text = 'event rate limit used up by rejected events';
    this.#rejections.whole('rate_limited', text, this.#cells, debtMs);
    return true;
  }

  /** A frame that begins now on `route` would be rejected by {@link rejectIfFull}. */
  isFullFor({ stream }: Route): boolean {
    if (stream === undefined || this.#draining) return false;
    return !this.#accumulator.acceptsFrames(stream.topic);
  }

  /**
   * Rejects the whole frame, instead of decoding it, if its events go to one stream whose buffer is
   * full. Those of a closing connection are `draining` all the same.
   * @param count counts its events
   * @returns their number, of a frame that cannot be counted 1; 0 = it was not rejected
   */
  rejectIfFull(bytes: Buffer, count: EventCounter, eventsMax: number): number {
    if (!this.#room.isFull || this.#ending) return 0;
    const events = count(bytes, eventsMax) ?? 1;
    if (events === 0) return 0;
    this.#rate.takeUpTo(events);
    const { text } = EVENT_CODES.buffer_full;
    this.#rejections.whole('buffer_full', text, this.#cells, undefined, events);
    return events;
  }

  /** Ends a decoded frame of `bytes`. */
  end(bytes: number): void {
    const longer = this.#rate.end(bytes);
    if (longer === undefined) return;
    const { text } = EVENT_CODES.rate_limited;
    this.#owner.rejected(this.#frame, longer.index, 'rate_limited', text, longer.retryAfterMs);
  }

  /** Time since the arrival of the frame, in seconds. */
  get sinceArrivalSeconds(): number {
    return (performance.now() - this.#arrivalMs) / 1000;
  }

  /** State to {@link resume} the frame with. */
  get progress(): FrameProgress {
    return {
      arrivalTime: this.#appender.arrivalTime,
      room: this.#room.progress,
      rate: this.#rate.progress,
      streamLimited: this.#streamRates.progress,
    };
  }

  /** Rejects valid events with `draining` from now on: this instance is stopping. */
  drain(): void {
    this.#draining = true;
  }

  event(index: number, value: JsonObject, bytes: Buffer, start: number, end: number): void {
    if (this.#rate.isLimited && this.#isOverRate(index, bytes, start, end)) return;
    const stream = this.#stream ?? this.#select(this.#route.streamOf(value));
    if (typeof stream === 'string') {
      if (stream === 'unknown_stream' && this.#route.isStreamless(value)) {
        const { text } = EVENT_CODES[stream];
        this.#appender.copyRejected(undefined, index, stream, text, bytes, start, end);
      }
      return this.#rejectStreamless(index, stream, bytes, start, end, value);
    }
    this.#counters.add(DECIDED.value + stream.cells);
    const problem = this.#isDryRun ? stream.problemOf(value) : stream.validate(value);
    if (problem !== undefined) this.#owner.explanation?.add(index, stream, bytes, start, end);
    if (problem !== undefined && stream.violations === undefined) {
      if (stream.deadLetter !== undefined) {
        const key = stream.key.keyOf(value, bytes, start);
        this.#appender.copyRejected(stream, index, 'schema', problem, bytes, start, end, key);
      }
      return this.#rejectInvalid(index, 'schema', problem, stream.cells, bytes, start, end, value);
    }
    if (this.#isUnavailable(stream, index, bytes, start, end)) return;
    const { format, topic } = stream;
    const key = stream.key.keyOf(value, bytes, start);
    const code =
      format === undefined
        ? this.#accumulator.append(topic, index, bytes, start, end, key)
        : this.#appender.appendParsed(topic, format, index, value, bytes, start, end, key, problem);
    this.#appended(stream, index, code, bytes, start, end, key);
    if (code !== undefined || this.#isDryRun) return;
    if (problem !== undefined) stream.violations?.count(problem, value);
    if (key !== undefined) return;
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
    if (this.#rate.isLimited && this.#isOverRate(index, bytes, start, end)) return;
    const stream = this.#stream ?? this.#select(this.#route.streamAt(fields.profile));
    if (typeof stream === 'string') return this.#rejectStreamless(index, stream, bytes, start, end);
    this.#counters.add(DECIDED.bytes + stream.cells);
    if (stream.candidate !== undefined && !this.#isDryRun) {
      stream.candidate.offerBytes(bytes, start, end);
    }
    if (this.#isUnavailable(stream, index, bytes, start, end)) return;
    const { format, topic, key, keyless } = stream;
    if (key.parts > 1) fields.joinKey(key.parts);
    const code =
      format === undefined
        ? this.#accumulator.appendWithKey(topic, index, bytes, start, end, fields)
        : this.#appender.appendLocated(topic, format, index, bytes, start, end, fields);
    const keyText = code === undefined ? undefined : fields.keyText;
    this.#appended(stream, index, code, bytes, start, end, keyText);
    const isKeyless = fields.keyBytes < 0 && code === undefined && key.exists;
    if (isKeyless && !this.#isDryRun) keyless.count('missing');
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

  /** Rejects an event that no stream accepts. */
  #rejectStreamless(
    index: number,
    code: StreamRejection,
    bytes: Buffer,
    start: number,
    end: number,
    value?: JsonObject,
  ): void {
    const message = code === 'draining' ? REMOVED_STREAM_TEXT : EVENT_CODES[code].text;
    if (code !== 'draining') this.#rate.rejected(end - start);
    this.#rejections.event(index, code, message, this.#cells, bytes, start, end, undefined, value);
  }

  /** Rejects an event that no retry can make valid; {@link #isOverRate} has counted its bytes. */
  #rejectInvalid(
    index: number,
    code: 'schema' | 'too_large',
    message: string,
    cells: number,
    bytes: Buffer,
    start: number,
    end: number,
    value?: JsonObject,
  ): void {
    this.#rate.rejected(end - start);
    this.#rejections.event(index, code, message, cells, bytes, start, end, undefined, value);
  }

  /**
   * Rejects a valid event that its stream does not accept now: its frame arrived too late or found
   * no room, or the event exceeds a limit of the stream. @returns whether it was rejected
   */
  #isUnavailable(
    stream: Stream,
    index: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): boolean {
    const length = end - start;
    if (this.#ending || !this.#room.has(stream)) {
      const code = this.#ending ? 'draining' : 'buffer_full';
      this.#rejections.event(index, code, EVENT_CODES[code].text, stream.cells, bytes, start, end);
      return true;
    }
    const stored = stream.format?.keepsSent ? Math.max(length, this.#appender.sentBytes) : length;
    if (stored > stream.maxEventBytes) {
      const text = `${stored} bytes exceed the limit of ${stream.maxEventBytes}`;
      this.#appender.copyRejected(stream, index, 'too_large', text, bytes, start, end);
      this.#rejectInvalid(index, 'too_large', text, stream.cells, bytes, start, end);
      return true;
    }
    const waitMs = this.#streamRates.take(stream);
    if (waitMs === undefined) return false;
    const message = `rate limit of the stream ${stream.name} exceeded`;
    this.#rejections.event(index, 'rate_limited', message, stream.cells, bytes, start, end, waitMs);
    return true;
  }

  /** Takes a token for the event, valid or not. @returns whether it was rejected without one */
  #isOverRate(index: number, bytes: Buffer, start: number, end: number): boolean {
    const waitMs = this.#rate.take(index, end - start);
    if (waitMs === undefined) return false;
    const { text } = EVENT_CODES.rate_limited;
    this.#rejections.event(index, 'rate_limited', text, this.#cells, bytes, start, end, waitMs);
    return true;
  }

  /** Reports the result of an append. */
  #appended(
    stream: Stream,
    index: number,
    code: EventCode | undefined,
    bytes: Buffer,
    start: number,
    end: number,
    key?: string,
  ): void {
    if (code === undefined) return this.#owner.accepted(this.#frame, index, stream.cells);
    const message = appendMessage(code);
    this.#appender.copyRejected(stream, index, code, message, bytes, start, end, key);
    this.#rejections.event(index, code, message, stream.cells, bytes, start, end);
  }

  rejectEvent(
    index: number,
    code: EventCode,
    message: string,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    if (this.#route.copiesUndecoded) {
      this.#appender.copyRejected(this.#stream, index, code, message, bytes, start, end);
    }
    this.#rate.chargeUndecoded(code);
    this.#rejections.event(index, code, message, this.#cells, bytes, start, end);
  }

  rejectFrame(code: EventCode, message: string, bytes?: Buffer): void {
    if (bytes !== undefined && this.#route.copiesUndecoded) {
      this.#appender.copyRejected(this.#stream, undefined, code, message, bytes, 0, bytes.length);
    }
    this.#rate.chargeUndecoded(code);
    this.#rejections.whole(code, message, this.#cells, undefined, 1, bytes);
  }
}
