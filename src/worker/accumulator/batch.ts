import assert from 'node:assert/strict';
import type { EventCode } from '../../common/errors.ts';
import {
  BATCH_HEADER_BYTES,
  type ProducerStamp,
  readRecords,
  recordBodyBytes,
  sealBatch,
  writeRecord,
} from './records.ts';

/** Who sent an event and hears of its fate: a connection's ack stream, an HTTP reply, nobody. */
export interface Owner {
  /** Nobody listens: what is refused is dropped. */
  readonly plain: boolean;
  readonly transport: 'ws' | 'http';
  /** The name of its key or token; empty where nobody has to say who he is. */
  readonly identity: string;
  /** Event `event` of `frame` was taken and waits for its fate. */
  accepted(frame: number, event: number): void;
  /**
   * The events `events[from, to)` of `frame` have their fate.
   * @returns false when the owner was told `timeout` for them before: they count no more
   */
  settled(frame: number, events: readonly number[], from: number, to: number): boolean;
  /**
   * Event `event` of `frame` is not stored; without a number, the whole frame.
   * @param retryAfterMs when it may come again, if that is known
   */
  refused(
    frame: number,
    event: number | undefined,
    code: EventCode,
    message: string,
    retryAfterMs?: number,
  ): void;
}

/** Destination of a batch, as requests and responses name it. */
export interface TopicPartition {
  readonly topic: { readonly name: string };
  readonly number: number;
}

/** A batch's records compressed, in a buffer of their own behind room for the header. */
export interface CompressedRecords {
  readonly buffer: Buffer;
  /** Bytes written, the room for the header included. */
  readonly length: number;
  /** Its number in the attributes of a batch. */
  readonly codec: number;
}

/**
 * Records on their way to one partition, in Kafka's format from the moment they arrive, and who
 * sent each: four parallel arrays, an entry per record.
 */
export class RecordBatch {
  readonly partition: TopicPartition;
  buffer: Buffer;
  /** Bytes written, header included. */
  length = BATCH_HEADER_BYTES;
  records = 0;
  /** ms since 1970 */
  firstTimestamp = 0;
  maxTimestamp = 0;
  /** Arrival of the first event, or of an older one that had to wait; ms of the monotonic clock. */
  openedAtMs = 0;
  /** When it was sent for the first time, ms of the monotonic clock; undefined = never. */
  sentAtMs: number | undefined;
  /** What is sent in place of the records; these stay for a split. */
  #compressed: CompressedRecords | undefined;
  #mayCompress = true;
  /** The owners were told `timeout`; the batch goes on, they hear no more. */
  answered = false;
  readonly owners: Owner[] = [];
  readonly frames: number[] = [];
  readonly events: number[] = [];
  readonly arrivalsMs: number[] = [];

  constructor(buffer: Buffer, partition: TopicPartition) {
    this.partition = partition;
    this.buffer = buffer;
  }

  /** Appends a record; the buffer must have room for it and `RECORD_OVERHEAD_BYTES_MAX`. */
  append(
    timestamp: number,
    keySource: Uint8Array,
    keyStart: number,
    keyBytes: number,
    source: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (this.records === 0) {
      this.firstTimestamp = timestamp;
      this.maxTimestamp = timestamp;
    } else if (timestamp > this.maxTimestamp) this.maxTimestamp = timestamp;
    const delta = timestamp - this.firstTimestamp;
    const body = recordBodyBytes(delta, this.records, keyBytes, end - start);
    this.length = writeRecord(
      this.buffer,
      this.length,
      body,
      delta,
      this.records++,
      keySource,
      keyStart,
      keyBytes,
      source,
      start,
      end,
    );
    assert(this.length <= this.buffer.length, 'the buffer had room');
  }

  /** Notes who sent the record appended last. */
  own(owner: Owner, frame: number, event: number, arrivalMs: number): void {
    if (this.records === 1 || arrivalMs < this.openedAtMs) this.openedAtMs = arrivalMs;
    this.owners.push(owner);
    this.frames.push(frame);
    this.events.push(event);
    this.arrivalsMs.push(arrivalMs);
  }

  /** Nobody has tried to compress these records yet. */
  get mayCompress(): boolean {
    return this.#mayCompress;
  }

  get compressed(): CompressedRecords | undefined {
    return this.#compressed;
  }

  /** From now on it is sent so. */
  goCompressed(compressed: CompressedRecords): void {
    assert(this.#mayCompress && compressed.length < this.length, 'it is compressed once, to less');
    this.#compressed = compressed;
    this.#mayCompress = false;
  }

  /** Compression has failed, or brought nothing. */
  goUncompressed(): void {
    this.#mayCompress = false;
  }

  /** Bytes that are sent. */
  get sentBytes(): number {
    return this.#compressed === undefined ? this.length : this.#compressed.length;
  }

  /** What is sent: the same bytes until it is sealed anew. */
  get bytes(): Buffer {
    return (this.#compressed ?? this).buffer.subarray(0, this.sentBytes);
  }

  /** Writes header and checksum of {@link bytes}. */
  seal(stamp: ProducerStamp): void {
    const { buffer, length } = this.#compressed ?? this;
    const { records, firstTimestamp, maxTimestamp } = this;
    const codec = this.#compressed?.codec ?? 0;
    sealBatch(buffer, length, records, firstTimestamp, maxTimestamp, stamp, codec);
  }

  /** Stamps the records anew: the broker did not like their time. */
  restamp(timestamp: number): void {
    const shift = timestamp - this.firstTimestamp;
    this.firstTimestamp = timestamp;
    this.maxTimestamp += shift;
  }

  /** The records will change. @returns what they were compressed to, for who owns its memory */
  forgetCompressed(): CompressedRecords | undefined {
    const compressed = this.#compressed;
    this.#compressed = undefined;
    this.#mayCompress = true;
    return compressed;
  }

  /**
   * Keeps the first `count` records, at least half, and moves the others into `rest`, an empty
   * batch whose buffer is as large as this one's: time stamps are told from the first record, so
   * those that move may take up to 4 bytes more each, and what stays has at least 7 each.
   */
  split(count: number, rest: RecordBatch): void {
    assert(count < this.records && rest.records === 0, 'both parts have records');
    assert(2 * count >= this.records, 'at least half stays: the rest fits its buffer');
    assert(this.#compressed === undefined, 'no half is sent with the records of the whole');
    const slices = readRecords(this.buffer, this.records);
    const { owners, frames, events, arrivalsMs } = this;
    for (let index = count; index < slices.length; index++) {
      const { timestampDelta, keyStart, keyBytes, valueStart, valueBytes } = slices[index]!;
      const timestamp = this.firstTimestamp + timestampDelta;
      const { buffer } = this;
      const valueEnd = valueStart + valueBytes;
      rest.append(timestamp, buffer, keyStart, keyBytes, buffer, valueStart, valueEnd);
      rest.own(owners[index]!, frames[index]!, events[index]!, arrivalsMs[index]!);
    }
    rest.openedAtMs = this.openedAtMs;
    rest.sentAtMs = this.sentAtMs;
    rest.answered = this.answered;
    const last = slices[count - 1]!;
    this.length = last.valueStart + last.valueBytes + 1;
    this.records = count;
    const maxDelta = slices
      .slice(0, count)
      .reduce((max, { timestampDelta }) => Math.max(max, timestampDelta), 0);
    this.maxTimestamp = this.firstTimestamp + maxDelta;
    for (const list of [owners, frames, events, arrivalsMs]) list.length = count;
  }
}
