/** Choice of the stream of an event: by the path of its sender, or by a field of the event. */
import type { JsonObject } from '../../common/json-object.ts';
import type { CreditBuffer } from '../acknowledger/credit.ts';
import type { InternalStream } from '../dead-letters/internal-stream.ts';
import type { EventField } from '../decoder/event-field.ts';
import type { FastValidator } from '../decoder/kernel/fast-validator.ts';
import type { Sender, Stream, StreamRejection } from './stream.ts';

/** Destination of the events of one frame or body, for its sender. */
export interface Route {
  /** Receives all events; undefined = {@link streamOf} selects a stream for each of them. */
  readonly stream: Stream | undefined;
  /** See EventSink; its profiles are the numbers of {@link streamAt}. */
  readonly fastValidator: FastValidator | undefined;
  /** See EventSink. */
  readonly keepsSent: boolean;
  /** Names of the streams that the sender can write to, in the order of the file. */
  readonly names: readonly string[];
  /** Buffer that the events use; undefined = the whole budget. */
  readonly buffer: CreditBuffer | undefined;
  /** Receives copies of frames, and of events whose stream is unknown; undefined = none does. */
  readonly deadLetter: InternalStream | undefined;
  /** Whether the sender may write to every stream that an undecoded event may belong to. */
  readonly copiesUndecoded: boolean;
  /** Whether there is no stream for an event, whoever sends it. */
  isStreamless(event: JsonObject): boolean;
  /** Selects the stream of a parsed event. */
  streamOf(event: JsonObject): Stream | StreamRejection;
  /** Returns the stream of an event that {@link fastValidator} has accepted. */
  streamAt(profile: number): Stream | StreamRejection;
}

/** All events go to one stream. */
export class SingleRoute implements Route {
  readonly stream: Stream;
  readonly fastValidator: FastValidator | undefined;
  readonly keepsSent: boolean;

  constructor(stream: Stream) {
    this.stream = stream;
    this.fastValidator = stream.fastValidator;
    this.keepsSent = stream.format?.keepsSent || stream.deadLetter !== undefined;
  }

  get copiesUndecoded(): boolean {
    return true;
  }

  get deadLetter(): InternalStream | undefined {
    return this.stream.deadLetter;
  }

  isStreamless(): boolean {
    return false;
  }

  get names(): readonly string[] {
    return [this.stream.name];
  }

  get buffer(): CreditBuffer | undefined {
    return this.stream.topic.share;
  }

  streamOf(): Stream {
    return this.stream;
  }

  streamAt(): Stream {
    return this.stream;
  }
}

/** All events are rejected. */
export class RejectingRoute implements Route {
  readonly stream = undefined;
  readonly fastValidator = undefined;
  readonly keepsSent: boolean;
  readonly names: readonly string[] = [];
  readonly buffer = undefined;
  readonly rejection: StreamRejection;
  readonly deadLetter: InternalStream | undefined;
  readonly copiesUndecoded = true;

  /**
   * @param deadLetter defined only if there is no stream for the events, whoever sends them, and
   * the sender may write to every stream
   */
  constructor(rejection: StreamRejection, deadLetter?: InternalStream) {
    this.rejection = rejection;
    this.deadLetter = deadLetter;
    this.keepsSent = deadLetter !== undefined;
  }

  isStreamless(): boolean {
    return this.deadLetter !== undefined;
  }

  streamOf(): StreamRejection {
    return this.rejection;
  }

  streamAt(): StreamRejection {
    return this.rejection;
  }
}

/** Rules that select a stream by a field of the event. */
export interface FieldRules {
  readonly field: EventField;
  readonly streams: readonly Stream[];
  /** Streams by the text of the field. */
  readonly byValue: ReadonlyMap<string, Stream>;
  /** Stream of all other values; undefined = they are rejected. */
  readonly unknown: Stream | undefined;
  /** Streams that were removed from the stream file: they accept no further events. */
  readonly leaving: ReadonlySet<Stream>;
  /** Streams that a value of the field selects. */
  readonly matched: ReadonlySet<Stream>;
}

/**
 * Buffer of a connection that writes to several streams: it is under pressure while the share of a
 * stream is that has events of the connection; without any events, while the shares of all streams
 * are that its route leads to.
 */
export class SharesInUse implements CreditBuffer {
  /** Current route of the connection. */
  route: Pick<FieldRoute, 'hasRoom'> | undefined;
  readonly #budget: CreditBuffer;
  readonly #shares = new Set<CreditBuffer>();

  /** @param budget the whole that is shared */
  constructor(budget: CreditBuffer) {
    this.#budget = budget;
  }

  get eventLimitBytes(): number {
    return this.#budget.eventLimitBytes;
  }

  get underPressure(): boolean {
    if (this.#shares.size === 0) return !(this.route?.hasRoom ?? true);
    for (const share of this.#shares) if (share.underPressure) return true;
    return false;
  }

  /** Whether the buffer of a stream is under pressure. */
  isPressed({ topic }: Stream): boolean {
    return (topic.share ?? this.#budget).underPressure;
  }

  /** Records an event of a stream. */
  add({ topic }: Stream): void {
    this.#shares.add(topic.share ?? this.#budget);
  }

  settled(): void {
    this.#shares.clear();
  }
}

/** Copies of events without a stream of their own. */
export interface FallbackLetters extends Pick<Route, 'copiesUndecoded'> {
  readonly ofNoStream: InternalStream | undefined;
  /** There is a stream for events without the field, whether the sender may write to it or not. */
  readonly hasFallback: boolean;
}

/** Each event names its stream. */
export class FieldRoute implements Route {
  readonly stream = undefined;
  readonly fastValidator: FastValidator;
  readonly keepsSent: boolean;
  readonly #rules: FieldRules;
  readonly #fallback: Stream | StreamRejection;
  readonly #sender: Sender;
  readonly buffer: SharesInUse;
  readonly deadLetter: InternalStream | undefined;
  readonly copiesUndecoded: boolean;
  /** There is a stream for events without the field, whether the sender may write to it or not. */
  readonly #hasFallback: boolean;
  /** Results for the streams used so far. */
  readonly #checked = new Map<Stream, Stream | StreamRejection>();

  /**
   * @param fallback of events without the field
   * @param fastValidator has the streams of `rules` as profiles
   * @param buffer records the streams in use, and belongs to this route from now on
   */
  constructor(
    rules: FieldRules,
    fallback: Stream | StreamRejection,
    sender: Sender,
    fastValidator: FastValidator,
    buffer: SharesInUse,
    letters: FallbackLetters,
  ) {
    this.#rules = rules;
    this.#fallback = fallback;
    this.#sender = sender;
    this.fastValidator = fastValidator;
    this.deadLetter = letters.ofNoStream;
    this.copiesUndecoded = letters.copiesUndecoded;
    this.#hasFallback = letters.hasFallback;
    this.keepsSent =
      this.deadLetter !== undefined ||
      rules.streams.some(({ format, deadLetter }) => format?.keepsSent || deadLetter !== undefined);
    this.buffer = buffer;
    buffer.route = this;
  }

  get names(): readonly string[] {
    return this.#rules.streams.filter((stream) => this.#leadsTo(stream)).map(({ name }) => name);
  }

  /** A stream that the sender can write to is not under pressure, or there is no such stream. */
  get hasRoom(): boolean {
    let isPressed = false;
    for (const stream of this.#rules.streams) {
      if (!this.#leadsTo(stream)) continue;
      if (!this.buffer.isPressed(stream)) return true;
      isPressed = true;
    }
    return !isPressed;
  }

  #leadsTo(stream: Stream): boolean {
    const isReachable = stream === this.#fallback || this.#rules.matched.has(stream);
    return isReachable && this.#check(stream) === stream;
  }

  streamOf(event: JsonObject): Stream | StreamRejection {
    const { field, byValue, unknown } = this.#rules;
    const value = field.valueIn(event);
    if (value === undefined) return this.#use(this.#fallback);
    const stream = typeof value === 'string' ? (byValue.get(value) ?? unknown) : unknown;
    return stream === undefined ? 'unknown_stream' : this.#use(this.#check(stream));
  }

  isStreamless(event: JsonObject): boolean {
    const { field, byValue, unknown } = this.#rules;
    const value = field.valueIn(event);
    if (value === undefined) return !this.#hasFallback;
    return unknown === undefined && !(typeof value === 'string' && byValue.has(value));
  }

  streamAt(profile: number): Stream | StreamRejection {
    return this.#use(this.#check(this.#rules.streams[profile]!));
  }

  /** Records the use of a stream. */
  #use(found: Stream | StreamRejection): Stream | StreamRejection {
    if (typeof found === 'object') this.buffer.add(found);
    return found;
  }

  #check(stream: Stream): Stream | StreamRejection {
    let result = this.#checked.get(stream);
    if (result === undefined) {
      const { leaving } = this.#rules;
      result = stream.rejectionOf(this.#sender) ?? (leaving.has(stream) ? 'draining' : stream);
      this.#checked.set(stream, result);
    }
    return result;
  }
}
