import { EVENT_CODES, type EventCode, isDeadLetterCode } from '../../common/errors.ts';
import type { JsonObject } from '../../common/json-object.ts';
import type { RecordSink } from '../accumulator/accumulator.ts';
import type { Owner } from '../accumulator/batch.ts';
import type { Topic } from '../accumulator/topic.ts';
import type { DeadLetters } from '../dead-letters/dead-letters.ts';
import type { InternalStream } from '../dead-letters/internal-stream.ts';
import type { LocatedFields } from '../decoder/kernel/located-fields.ts';
import { NO_PROVENANCE, type Provenance } from '../streams/provenance.ts';
import type { FrameFacts, RecordFormat } from '../streams/record-format.ts';
import type { Stream } from '../streams/stream.ts';

/** Messages of rejections by the accumulator, where they are more precise than the catalog's. */
const MESSAGES: Partial<Record<EventCode, string>> = {
  kafka_unavailable: 'the partitions of the topic are not known yet',
  too_large: 'larger than max.message.bytes of the topic',
};

/** Returns the message of an event that the accumulator did not append. */
export function appendMessage(code: EventCode): string {
  return MESSAGES[code] ?? EVENT_CODES[code].text;
}

/**
 * Appends the valid events of a frame as records in the formats of their streams, and copies of
 * others to their dead letters.
 */
export class RecordAppender implements FrameFacts {
  readonly #accumulator: RecordSink;
  readonly #deadLetters: Pick<DeadLetters, 'write'> | undefined;
  #owner!: Owner;
  #arrivalMs = 0;
  #deadLetter: InternalStream | undefined;
  provenance = NO_PROVENANCE;
  arrivalTime = 0;
  /** The next event as it was sent, in another format than JSON; undefined = as JSON. */
  #sent: Buffer | undefined;
  #sentStart = 0;
  #sentEnd = 0;

  constructor(accumulator: RecordSink, deadLetters?: Pick<DeadLetters, 'write'>) {
    this.#accumulator = accumulator;
    this.#deadLetters = deadLetters;
  }

  /**
   * Begins a frame: subsequent events belong to it.
   * @param arrivalTime arrival in ms since 1970
   * @param arrivalMs arrival on the monotonic clock
   * @param cells offset of the cells of its stream in the metrics
   * @param deadLetter receives copies of rejected events without a stream
   */
  beginFrame(
    owner: Owner,
    frame: number,
    arrivalTime: number,
    arrivalMs: number,
    cells: number,
    provenance: Provenance,
    deadLetter: InternalStream | undefined,
  ): void {
    this.#owner = owner;
    this.#arrivalMs = arrivalMs;
    this.#deadLetter = deadLetter;
    this.arrivalTime = arrivalTime;
    this.provenance = provenance;
    this.#sent = undefined;
    this.#accumulator.beginFrame(owner, frame, arrivalTime, arrivalMs, cells);
  }

  /** Counts events that were decoded, with rejected ones. */
  countDecoded(events: number): void {
    if (this.provenance.resent > 0) this.provenance.countEvents(events);
  }

  /** Bytes of the next event as it was sent, in another format than JSON; 0 = as JSON. */
  get sentBytes(): number {
    return this.#sent === undefined ? 0 : this.#sentEnd - this.#sentStart;
  }

  /** See EventSink. */
  sentAs(bytes: Buffer, start: number, end: number): void {
    this.#sent = bytes;
    this.#sentStart = start;
    this.#sentEnd = end;
  }

  /**
   * Writes a copy of a rejected event to the dead letters of its stream, or of events without a
   * stream.
   * @param stream undefined = it has none, or an unknown one
   * @param index undefined = the whole frame
   * @param bytes has the event at `[start, end)`, unless it was sent in another format
   */
  copyRejected(
    stream: Stream | undefined,
    index: number | undefined,
    code: EventCode,
    message: string,
    bytes: Buffer,
    start: number,
    end: number,
    key?: string,
  ): void {
    const target = stream === undefined ? this.#deadLetter : stream.deadLetter;
    if (target === undefined || !isDeadLetterCode(code)) return;
    const { provenance, arrivalTime } = this;
    const { identity, transport } = this.#owner;
    const sent = index === undefined ? undefined : this.#sent;
    this.#deadLetters?.write(target, {
      code,
      message,
      stream,
      arrivalTime,
      arrivalMs: this.#arrivalMs,
      identity: identity.name,
      transport,
      index,
      isResent: (index ?? 0) < provenance.resent,
      isMsgpack: index === undefined ? isMsgpackFrame(code, bytes) : sent !== undefined,
      facts: provenance.facts,
      key,
      bytes: sent ?? bytes,
      start: sent === undefined ? start : this.#sentStart,
      end: sent === undefined ? end : this.#sentEnd,
    });
  }

  /**
   * Appends a parsed event to `topic`.
   * @param problem reason why it violates its schema; undefined = it does not
   * @returns as Accumulator.append
   */
  appendParsed(
    topic: Topic,
    format: RecordFormat,
    index: number,
    value: JsonObject,
    bytes: Buffer,
    start: number,
    end: number,
    key: string | undefined,
    problem: string | undefined,
  ): EventCode | undefined {
    const accumulator = this.#accumulator;
    const sent = format.keepsSent ? this.#sent : undefined;
    format.formatValue(this, value, index < this.provenance.resent, sent !== undefined);
    if (problem !== undefined) format.addSchemaError(problem);
    accumulator.useFormat(format.headers, format.eventTime);
    if (format.prefixed !== undefined) {
      const value = format.prefixed.set(bytes, start, end);
      return accumulator.append(topic, index, value.bytes, 0, value.length, key);
    }
    if (sent === undefined) return accumulator.append(topic, index, bytes, start, end, key);
    return accumulator.append(topic, index, sent, this.#sentStart, this.#sentEnd, key);
  }

  /** Appends an event whose fields are located in its bytes. @returns as Accumulator.append */
  appendLocated(
    topic: Topic,
    format: RecordFormat,
    index: number,
    bytes: Buffer,
    start: number,
    end: number,
    fields: LocatedFields,
  ): EventCode | undefined {
    const accumulator = this.#accumulator;
    const sent = format.keepsSent ? this.#sent : undefined;
    const isResent = index < this.provenance.resent;
    format.formatLocated(this, bytes, fields, isResent, sent !== undefined);
    accumulator.useFormat(format.headers, format.eventTime);
    if (format.prefixed !== undefined) {
      const { bytes: value, length } = format.prefixed.set(bytes, start, end);
      return accumulator.appendWithKey(topic, index, value, 0, length, fields);
    }
    if (sent === undefined) {
      return accumulator.appendWithKey(topic, index, bytes, start, end, fields);
    }
    return accumulator.appendWithKey(topic, index, sent, this.#sentStart, this.#sentEnd, fields);
  }
}

/** Whether a frame that was rejected as a whole is MessagePack. */
function isMsgpackFrame(code: EventCode, bytes: Buffer): boolean {
  if (code !== 'too_large' && code !== 'too_many_events') return code === 'invalid_msgpack';
  const [first = 0] = bytes;
  // An object or an array of MessagePack; no JSON begins like that.
  return (first >= 0x80 && first <= 0x9f) || (first >= 0xdc && first <= 0xdf);
}
