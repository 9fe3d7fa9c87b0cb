import type { JsonObject } from '../../common/json-object.ts';
import { LIMITS } from '../../config/limits.ts';
import type { RecordFormatSpec, SchemaSource } from '../../streams/stream-file.ts';
import type { EncodedHeaders } from '../accumulator/records.ts';
import type { Topic } from '../accumulator/topic.ts';
import { EventField } from '../decoder/event-field.ts';
import type { LocatedFields } from '../decoder/kernel/located-fields.ts';
import type { RecordFields } from '../decoder/kernel/plan.ts';
import { EventTime } from './event-time.ts';
import { type EventHeaders, HeaderEncoder, TRACEPARENT_BYTES } from './header-encoder.ts';
import { PrefixedValue } from './prefixed-value.ts';
import type { Facts, Provenance } from './provenance.ts';
import { isTraceparent } from './trace-context.ts';

/** The part of a frame that the format of its records depends on. */
export interface FrameFacts {
  readonly provenance: Provenance;
  /** Arrival, ms since 1970. */
  readonly arrivalTime: number;
}

const NONE = -1;
/** Texts of an event on the slow path, and their ranges. */
const texts = Buffer.alloc(LIMITS.recordHeaders.idBytes + TRACEPARENT_BYTES);
const ranges: { -readonly [name in keyof EventHeaders]: number } = {
  idStart: 0,
  idBytes: NONE,
  traceStart: LIMITS.recordHeaders.idBytes,
  traceBytes: NONE,
};

/** Headers and timestamps of the records of a stream. Holds those of one event at a time. */
export class RecordFormat {
  /** Headers of the event formatted last. */
  readonly headers: EncodedHeaders;
  /** Timestamp of the event formatted last; undefined = its arrival. */
  eventTime: number | undefined;
  /** MessagePack is stored as it was sent. */
  readonly keepsSent: boolean;
  readonly #encoder: HeaderEncoder;
  readonly #id: EventField | undefined;
  readonly #trace: EventField | undefined;
  readonly #timeField: EventField | undefined;
  readonly #time: EventTime | undefined;
  /** The topic mixes stored formats: each record states its own. */
  readonly statesContentType: boolean;
  /** Values begin with the id of their schema; undefined = they do not. */
  readonly prefixed: PrefixedValue | undefined;

  /**
   * @param topic of the records
   * @param ofStream headers that are the same for all events
   * @param statesContentType see {@link statesContentType}
   * @param hasSchemaErrors events may have {@link addSchemaError}
   * @param schema of a registry, which validates the events; undefined = none
   */
  constructor(
    spec: RecordFormatSpec,
    topic: Pick<Topic, 'timestamps'>,
    ofStream: Facts,
    statesContentType: boolean,
    hasSchemaErrors = false,
    schema?: SchemaSource['registered'],
  ) {
    const { headers, idField, traceField, time, ip, value } = spec;
    const fieldOf = (path: readonly string[] | undefined) => path && new EventField(path.join('.'));
    const { framing, guid } = schema ?? {};
    const schemaGuid = framing === 'header' ? guid : undefined;
    this.#encoder = new HeaderEncoder(headers, ofStream, ip, hasSchemaErrors, schemaGuid);
    this.prefixed = framing === 'prefix' ? new PrefixedValue(schema!.id) : undefined;
    this.headers = this.#encoder;
    this.#id = headers.includes('event-id') ? fieldOf(idField) : undefined;
    this.#trace = headers.includes('traceparent') ? fieldOf(traceField) : undefined;
    this.#timeField = fieldOf(time?.field);
    this.#time = time && new EventTime(time, topic);
    this.statesContentType = statesContentType;
    this.keepsSent = value === 'as-sent';
  }

  /** Fields that the fast validator has to locate. */
  get fields(): RecordFields {
    const [id, time, trace] = [this.#id?.name, this.#timeField?.name, this.#trace?.name];
    return { id, time, isTimeText: this.#time?.isText, trace };
  }

  /**
   * Formats an event from its fields in `bytes`.
   * @param isResent it may be a repeat
   * @param isSent its value is stored as sent, as MessagePack
   */
  formatLocated(
    { provenance, arrivalTime }: FrameFacts,
    bytes: Buffer,
    fields: LocatedFields,
    isResent: boolean,
    isSent: boolean,
  ): void {
    const { timeStart, timeBytes, traceStart, traceBytes } = fields;
    if (this.#time !== undefined) {
      const text = textAt(bytes, timeStart, timeBytes);
      const value = text === undefined || this.#time.isText ? text : Number(text);
      this.eventTime = this.#time.of(value, arrivalTime);
    }
    const trace = textAt(bytes, traceStart, traceBytes);
    if (trace !== undefined && !isTraceparent(trace)) fields.traceBytes = NONE;
    this.#encode(provenance, arrivalTime, isResent, bytes, fields, isSent);
  }

  /** Formats a parsed event; see {@link formatLocated}. */
  formatValue(
    { provenance, arrivalTime }: FrameFacts,
    value: JsonObject,
    isResent: boolean,
    isSent: boolean,
  ): void {
    if (this.#time !== undefined) {
      this.eventTime = this.#time.of(this.#timeField!.valueIn(value), arrivalTime);
    }
    const id = this.#id?.valueIn(value);
    const isId = typeof id === 'string' && Buffer.byteLength(id) <= LIMITS.recordHeaders.idBytes;
    ranges.idBytes = isId ? texts.write(id, ranges.idStart) : NONE;
    const trace = this.#trace?.valueIn(value);
    const isTrace = typeof trace === 'string' && isTraceparent(trace);
    ranges.traceBytes = isTrace ? texts.write(trace, ranges.traceStart) : NONE;
    this.#encode(provenance, arrivalTime, isResent, texts, ranges, isSent);
  }

  /** Adds the reason why the event formatted last violates its schema, as a header. */
  addSchemaError(reason: string): void {
    this.#encoder.addSchemaError(reason);
  }

  #encode(
    provenance: Provenance,
    arrivalTime: number,
    isResent: boolean,
    source: Buffer,
    event: EventHeaders,
    isSent: boolean,
  ): void {
    const isTimed = this.#time === undefined || this.eventTime !== undefined;
    const contentType = isSent ? 'msgpack' : 'json';
    this.#encoder.encode(
      provenance,
      arrivalTime,
      isResent,
      source,
      event,
      isTimed,
      this.statesContentType ? contentType : undefined,
    );
  }
}

/** Returns the text of a range; undefined for a length of -1. */
function textAt(bytes: Buffer, start: number, length: number): string | undefined {
  return length < 0 ? undefined : bytes.toString('latin1', start, start + length);
}
