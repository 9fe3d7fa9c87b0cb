import assert from 'node:assert/strict';
import type { EventCode } from '../../common/errors.ts';
import { LIMITS } from '../../config/limits.ts';
import type { BatchMemory } from './budget-share.ts';
import {
  BATCH_HEADER_BYTES,
  NO_HEADERS,
  type ProducerStamp,
  type RecordSlice,
  readRecords,
  recordBodyBytes,
  sealBatch,
  writeContent,
  writeRecord,
} from './records.ts';

/** Client as the results of its events name and count it. */
export interface OwnerIdentity {
  /** Name of its API key or token; empty without authentication. */
  readonly name: string;
  /** Offset of its cells in the metrics of keys; negative = it has none. */
  readonly keyCells: number;
}

/** Reads records of a batch when it is stored, before it is released. */
export interface RecordReader {
  /** Whether it reads event `event` or a later one. */
  reads(event: number): boolean;
  /**
   * Reads the records `[from, to)` of a batch, whose events have the reader's owner and one stream.
   * @param slices all records of the batch
   * @param stream undefined without a stream file
   */
  read(
    batch: RecordBatch,
    slices: readonly RecordSlice[],
    from: number,
    to: number,
    stream: string | undefined,
  ): void;
}

/** The stream of an event as its explanation needs it. */
export interface ExplainedStream {
  readonly name: string;
  /** Undefined text of the schema = the built-in one. */
  readonly spec: { readonly schema: { readonly text: string | undefined } | undefined };
}

/** Receives the events of an owner that do not match their schema. */
export interface ViolationReader {
  /** Adds an event: JSON, `bytes[start, end)`. */
  add(event: number, stream: ExplainedStream, bytes: Buffer, start: number, end: number): void;
}

/** Sender of events; receives their results: an ack stream, an HTTP reply, or a plain client. */
export interface Owner {
  /** A plain client receives no results: its rejected events are dropped. */
  readonly plain: boolean;
  readonly transport: 'ws' | 'http';
  readonly identity: OwnerIdentity;
  /** Id of its request, if records state it; for logs. */
  readonly requestId?: string | undefined;
  /** Reads the records of its events; undefined = it needs only their results. */
  readonly recordReader?: RecordReader | undefined;
  /** Undefined = violations are not explained further. */
  readonly explanation?: ViolationReader | undefined;
  /**
   * Event `event` of `frame` was accepted; its result follows.
   * @param cells offset of its stream's cells in the metrics
   */
  accepted(frame: number, event: number, cells: number): void;
  /**
   * The events `events[from, to)` of `frame` have their result.
   * @returns false if the owner already received `timeout` for them: they do not count again
   */
  settled(frame: number, events: readonly number[], from: number, to: number): boolean;
  /**
   * Event `event` of `frame` is not stored; undefined = the whole frame.
   * @param retryAfterMs time until a retry can succeed, if known
   */
  rejected(
    frame: number,
    event: number | undefined,
    code: EventCode,
    message: string,
    retryAfterMs?: number,
  ): void;
}

/** Destination of a batch, as requests and responses name it. */
export interface TopicPartition {
  readonly topic: {
    readonly name: string;
    readonly share?: BatchMemory | undefined;
    readonly cells?: number;
    /** See Topic. */
    readonly hasDeadLetters?: boolean;
  };
  readonly number: number;
}

/** Value of the offset of a batch with events of several streams. */
const MIXED = -1;

/** Compressed records of a batch, in their own buffer after room for the header. */
export interface CompressedRecords {
  readonly buffer: Buffer;
  /** Bytes written, including the room for the header. */
  readonly length: number;
  /** Codec number in the batch attributes. */
  readonly codec: number;
}

/**
 * Records for one partition, in Kafka's format from their arrival on, and their origin: parallel
 * arrays with an entry per record.
 */
export class RecordBatch {
  readonly partition: TopicPartition;
  buffer: Buffer;
  /** Bytes written, including the header. */
  length = BATCH_HEADER_BYTES;
  records = 0;
  /** ms since 1970 */
  firstTimestamp = 0;
  maxTimestamp = 0;
  /** A record may have a time of its own: the timestamps never change. */
  hasEventTimes = false;
  /** Arrival of the first event, or of an older one that was moved here; monotonic clock, ms. */
  openedAtMs = 0;
  /** Time of the first send, monotonic clock, ms; undefined = never sent. */
  sentAtMs: number | undefined;
  /** Sent in place of the records, which are kept for a split. */
  #compressed: CompressedRecords | undefined;
  #mayCompress = true;
  /** The owners received `timeout`; the batch stays in flight without further notifications. */
  answered = false;
  readonly owners: Owner[] = [];
  readonly frames: number[] = [];
  readonly events: number[] = [];
  readonly arrivalsMs: number[] = [];
  /** Offset of the cells of the events' stream in the metrics; MIXED = see {@link #mixed}. */
  #cells = 0;
  /** Offset by record, once the events have several streams. */
  #mixed: number[] | undefined;

  constructor(buffer: Buffer, partition: TopicPartition) {
    this.partition = partition;
    this.buffer = buffer;
  }

  /** Appends a record; the buffer must have room for its parts and `RECORD_OVERHEAD_BYTES_MAX`. */
  append(
    timestamp: number,
    keySource: Uint8Array,
    keyStart: number,
    keyBytes: number,
    source: Uint8Array,
    start: number,
    end: number,
    headers = NO_HEADERS,
  ): void {
    const delta = this.#addTimestamp(timestamp);
    const body = recordBodyBytes(delta, this.records, keyBytes, end - start, headers.length);
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
      headers,
    );
    assert(this.length <= this.buffer.length, 'the buffer had room');
  }

  /** Appends a record with the content `source[start, end)`; the buffer must have room for it. */
  appendContent(timestamp: number, source: Uint8Array, start: number, end: number): void {
    const delta = this.#addTimestamp(timestamp);
    const { buffer, length } = this;
    this.length = writeContent(buffer, length, delta, this.records++, source, start, end);
    assert(this.length <= this.buffer.length, 'the buffer had room');
  }

  /** @returns its distance from the first timestamp */
  #addTimestamp(timestamp: number): number {
    if (this.records === 0) {
      this.firstTimestamp = timestamp;
      this.maxTimestamp = timestamp;
    } else if (timestamp > this.maxTimestamp) this.maxTimestamp = timestamp;
    return timestamp - this.firstTimestamp;
  }

  /**
   * Records the origin of the record appended last.
   * @param cells offset of its stream's cells in the metrics
   */
  addOwner(owner: Owner, frame: number, event: number, arrivalMs: number, cells: number): void {
    if (this.records === 1 || arrivalMs < this.openedAtMs) this.openedAtMs = arrivalMs;
    if (this.records === 1) this.#cells = cells;
    else if (cells !== this.#cells) this.#addCells(cells);
    this.owners.push(owner);
    this.frames.push(frame);
    this.events.push(event);
    this.arrivalsMs.push(arrivalMs);
  }

  #addCells(cells: number): void {
    this.#mixed ??= this.owners.map(() => this.#cells);
    this.#cells = MIXED;
    this.#mixed.push(cells);
  }

  /** Returns the offset of the cells of a record's stream in the metrics. */
  cellsOf(record: number): number {
    return this.#mixed?.[record] ?? this.#cells;
  }

  /** Whether two records have the same stream. */
  isSameStream(one: number, other: number): boolean {
    return this.#mixed === undefined || this.#mixed[one] === this.#mixed[other];
  }

  /** Calls `visit` with the number of records of each run of one stream. */
  eachStream(visit: (cells: number, records: number) => void): void {
    if (this.#mixed === undefined) return visit(this.#cells, this.records);
    let from = 0;
    for (let index = 1; index <= this.records; index++) {
      if (index < this.records && this.#mixed[index] === this.#mixed[from]) continue;
      visit(this.#mixed[from]!, index - from);
      from = index;
    }
  }

  /** Calls `visit` for each run of records of one owner, frame and stream: `[from, to)`. */
  eachRun(visit: (owner: Owner, frame: number, from: number, to: number) => void): void {
    const { owners, frames, records } = this;
    let from = 0;
    for (let index = 1; index <= records; index++) {
      const isSame =
        index < records && owners[index] === owners[from] && frames[index] === frames[from];
      if (isSame && this.isSameStream(index, from)) continue;
      visit(owners[from]!, frames[from]!, from, index);
      from = index;
    }
  }

  /** Bytes of the budget that it uses. */
  get chargedBytes(): number {
    const compressedBytes = this.#compressed?.buffer.length ?? 0;
    return this.buffer.length + compressedBytes + this.records * LIMITS.eventOverheadBytes;
  }

  /** Compression of these records was not attempted yet. */
  get mayCompress(): boolean {
    return this.#mayCompress;
  }

  get compressed(): CompressedRecords | undefined {
    return this.#compressed;
  }

  /** Sends the compressed records from now on. */
  setCompressed(compressed: CompressedRecords): void {
    assert(this.#mayCompress && compressed.length < this.length, 'compressed once, to fewer bytes');
    this.#compressed = compressed;
    this.#mayCompress = false;
  }

  /** Sends the records uncompressed: compression failed or saved nothing. */
  skipCompression(): void {
    this.#mayCompress = false;
  }

  /** Bytes to send. */
  get sentBytes(): number {
    return this.#compressed === undefined ? this.length : this.#compressed.length;
  }

  /** Content to send, unchanged until the batch is sealed again. */
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

  /** Moves the timestamps to `timestamp`, after the broker rejected them. */
  restamp(timestamp: number): void {
    assert(!this.hasEventTimes, 'times of events are never changed');
    const shift = timestamp - this.firstTimestamp;
    this.firstTimestamp = timestamp;
    this.maxTimestamp += shift;
  }

  /** Drops the compressed records before a change. @returns them, for release by the caller */
  discardCompressed(): CompressedRecords | undefined {
    const compressed = this.#compressed;
    this.#compressed = undefined;
    this.#mayCompress = true;
    return compressed;
  }

  /** Parses the records, uncompressed. */
  slices(): RecordSlice[] {
    return readRecords(this.buffer, this.records);
  }

  /**
   * Keeps the first `count` records, at least half, and moves the others into `rest`, an empty
   * batch with a buffer of the same size: timestamps are relative to the first record, so each
   * moved record may take up to 4 bytes more, and each record that stays has at least 7.
   */
  split(count: number, rest: RecordBatch): void {
    assert(count < this.records && rest.records === 0, 'both parts have records');
    assert(2 * count >= this.records, 'at least half stays: the rest fits its buffer');
    assert(this.#compressed === undefined, 'compressed records are discarded before a split');
    const slices = this.slices();
    const { owners, frames, events, arrivalsMs } = this;
    for (let index = count; index < slices.length; index++) {
      const { timestampDelta, contentStart, end } = slices[index]!;
      rest.appendContent(this.firstTimestamp + timestampDelta, this.buffer, contentStart, end);
      const cells = this.cellsOf(index);
      rest.addOwner(owners[index]!, frames[index]!, events[index]!, arrivalsMs[index]!, cells);
    }
    rest.openedAtMs = this.openedAtMs;
    rest.sentAtMs = this.sentAtMs;
    rest.answered = this.answered;
    rest.hasEventTimes = this.hasEventTimes;
    this.length = slices[count - 1]!.end;
    this.records = count;
    const maxDelta = slices
      .slice(0, count)
      .reduce((max, { timestampDelta }) => Math.max(max, timestampDelta), 0);
    this.maxTimestamp = this.firstTimestamp + maxDelta;
    for (const list of [owners, frames, events, arrivalsMs]) list.length = count;
    if (this.#mixed !== undefined) this.#mixed.length = count;
  }
}
