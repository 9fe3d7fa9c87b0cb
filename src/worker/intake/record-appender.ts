import type { EventCode } from '../../common/errors.ts';
import type { JsonObject } from '../../common/json-object.ts';
import type { Accumulator } from '../accumulator/accumulator.ts';
import type { Owner } from '../accumulator/batch.ts';
import type { LocatedFields } from '../decoder/json/fast-profile.ts';
import { NO_PROVENANCE, type Provenance } from '../streams/provenance.ts';
import type { FrameFacts } from '../streams/record-format.ts';
import type { Stream } from '../streams/stream.ts';

/** Appends the valid events of a frame as records in the format of their streams. */
export class RecordAppender implements FrameFacts {
  readonly #accumulator: Accumulator;
  provenance = NO_PROVENANCE;
  arrivalTime = 0;
  /** The next event as it was sent, in another format than JSON; undefined = as JSON. */
  #sent: Buffer | undefined;
  #sentStart = 0;
  #sentEnd = 0;

  constructor(accumulator: Accumulator) {
    this.#accumulator = accumulator;
  }

  /**
   * Begins a frame: subsequent events belong to it.
   * @param arrivalTime arrival in ms since 1970
   * @param arrivalMs arrival on the monotonic clock
   * @param cells offset of the cells of its stream in the metrics
   */
  beginFrame(
    owner: Owner,
    frame: number,
    arrivalTime: number,
    arrivalMs: number,
    cells: number,
    provenance: Provenance,
  ): void {
    this.arrivalTime = arrivalTime;
    this.provenance = provenance;
    this.#sent = undefined;
    this.#accumulator.beginFrame(owner, frame, arrivalTime, arrivalMs, cells);
  }

  /** Counts events that were decoded, with rejected ones. */
  countDecoded(events: number): void {
    if (this.provenance.resent > 0) this.provenance.countEvents(events);
  }

  /** See EventSink. */
  sentAs(bytes: Buffer, start: number, end: number): void {
    this.#sent = bytes;
    this.#sentStart = start;
    this.#sentEnd = end;
  }

  /** Appends a parsed event. @returns as Accumulator.append */
  appendParsed(
    stream: Stream,
    index: number,
    value: JsonObject,
    bytes: Buffer,
    start: number,
    end: number,
  ): EventCode | undefined {
    const { topic, format, keyless } = stream;
    const key = stream.key.keyOf(value, bytes, start);
    let [source, from, to] = [bytes, start, end];
    if (format !== undefined) {
      const sent = format.keepsSent ? this.#sent : undefined;
      format.formatValue(this, value, index < this.provenance.resent, sent !== undefined);
      this.#accumulator.useFormat(format.headers, format.eventTime);
      if (sent !== undefined) [source, from, to] = [sent, this.#sentStart, this.#sentEnd];
    }
    const code = this.#accumulator.append(topic, index, source, from, to, key);
    if (key !== undefined || code !== undefined) return code;
    const reason = stream.key.reasonForNoKey(value, bytes, start);
    if (reason !== undefined) keyless.count(reason);
    return undefined;
  }

  /** Appends an event whose fields are located in its bytes. @returns as Accumulator.append */
  appendLocated(
    stream: Stream,
    index: number,
    bytes: Buffer,
    start: number,
    end: number,
    fields: LocatedFields,
  ): EventCode | undefined {
    const { topic, format, keyless } = stream;
    const { keyStart, keyBytes } = fields;
    let source = bytes;
    let from = start;
    let to = end;
    if (format !== undefined) {
      const sent = format.keepsSent ? this.#sent : undefined;
      const isResent = index < this.provenance.resent;
      format.formatLocated(this, bytes, fields, isResent, sent !== undefined);
      this.#accumulator.useFormat(format.headers, format.eventTime);
      if (sent !== undefined) [source, from, to] = [sent, this.#sentStart, this.#sentEnd];
    }
    const accumulator = this.#accumulator;
    const code = accumulator.appendWithKey(
      topic,
      index,
      source,
      from,
      to,
      bytes,
      keyStart,
      keyBytes,
    );
    if (keyBytes < 0 && code === undefined && stream.key.exists) keyless.count('missing');
    return code;
  }
}
