import type { EventCode } from '../../common/errors.ts';
import type { MetricSlots } from '../../metrics/slots.ts';
import { declaredStreamAt } from '../../metrics/slots.ts';
import type { RecordSink } from '../accumulator/accumulator.ts';
import type { Owner } from '../accumulator/batch.ts';
import type { KeyRange } from '../accumulator/key-range.ts';
import { murmur2 } from '../accumulator/murmur2.ts';
import {
  BATCH_HEADER_BYTES,
  NO_HEADERS,
  RECORD_OVERHEAD_BYTES_MAX,
  readHeaders,
} from '../accumulator/records.ts';
import type { Topic } from '../accumulator/topic.ts';
import { DryRunReply } from './dry-run-reply.ts';

/** Shows the records of events instead of accumulating them. */
export class DryRunRecords implements RecordSink {
  readonly #slots: () => MetricSlots;
  #owner!: Owner;
  #arrivalTime = 0;
  #cells = 0;
  #timestamp = 0;
  #headers = NO_HEADERS;

  /** @param slots of the metrics, which name the streams */
  constructor(slots: () => MetricSlots) {
    this.#slots = slots;
  }

  /** Nothing is buffered. */
  acceptsFrames(): boolean {
    return true;
  }

  beginFrame(
    owner: Owner,
    _frame: number,
    arrivalTime: number,
    _arrivalMs: number,
    cells: number,
  ): void {
    this.#owner = owner;
    this.#arrivalTime = arrivalTime;
    this.useStream(cells);
  }

  useStream(cells: number): void {
    this.#cells = cells;
    this.#timestamp = this.#arrivalTime;
    this.#headers = NO_HEADERS;
  }

  useFormat(headers: typeof NO_HEADERS, eventTime: number | undefined): void {
    this.#headers = headers;
    this.#timestamp = eventTime ?? this.#arrivalTime;
  }

  append(
    topic: Topic,
    event: number,
    source: Uint8Array,
    start: number,
    end: number,
    key: string | undefined,
  ): EventCode | undefined {
    const keySource = Buffer.from(key ?? '');
    const keyHash = murmur2(keySource, 0, keySource.length);
    const keyBytes = key === undefined ? -1 : keySource.length;
    const range: KeyRange = { keySource, keyStart: 0, keyBytes, keyHash };
    return this.appendWithKey(topic, event, source, start, end, range);
  }

  /** Shows the record. @returns too_large if the topic would not accept it */
  appendWithKey(
    topic: Topic,
    event: number,
    _source: Uint8Array,
    start: number,
    end: number,
    { keySource, keyStart, keyBytes, keyHash }: KeyRange,
  ): EventCode | undefined {
    const { bytes, length } = this.#headers;
    const contentBytes = Math.max(0, keyBytes) + end - start + length;
    const maxBytes = BATCH_HEADER_BYTES + RECORD_OVERHEAD_BYTES_MAX + contentBytes;
    if (maxBytes > topic.maxMessageBytes) return 'too_large';
    if (!(this.#owner instanceof DryRunReply) || !this.#owner.shows(event)) return undefined;
    const isChosen = keyBytes >= 0 && topic.partitions.length > 0;
    const keyText = Buffer.from(keySource.subarray(keyStart, keyStart + Math.max(0, keyBytes)));
    const record = {
      event,
      stream: declaredStreamAt(this.#slots(), this.#cells),
      partition: isChosen ? topic.partitionOf(keyHash).number : null,
      timestamp: this.#timestamp,
      key: keyBytes < 0 ? null : keyText.toString(),
      headers: Object.fromEntries(readHeaders(bytes, { valueStart: 0, valueBytes: 0 })),
    };
    this.#owner.show(record, contentBytes - (end - start));
    return undefined;
  }
}
