import assert from 'node:assert/strict';
import type { EventCode } from '../../common/errors.ts';
import { KIB, LIMITS } from '../../config/limits.ts';
import { type Owner, RecordBatch } from './batch.ts';
import type { Budget } from './budget.ts';
import { partitionOfKey } from './murmur2.ts';
import { PartitionQueue } from './queue.ts';
import { BATCH_HEADER_BYTES, RECORD_OVERHEAD_BYTES_MAX } from './records.ts';

/** A batch starts in a buffer of this size and grows, so that quiet partitions hold little. */
const FIRST_BUFFER_BYTES = 2 * KIB;
const GROWTH = 4;
/** Beyond this distance in time two records cannot share a batch: the delta is a varint. */
const TIMESTAMP_SPAN_MS = 2 ** 29;

export interface AccumulatorOptions {
  readonly budget: Budget;
  /** Bytes of a batch at the most, unless a single record needs more. */
  readonly batchBytes: number;
  /** Bytes of an event at the most: the bound of a key. */
  readonly maxEventBytes: number;
}

/** Who wants to know that a partition has something to send. */
export type WorkListener = (queue: PartitionQueue) => void;

/**
 * Takes accepted events: chooses the partition once, and writes each event once, as a Kafka
 * record, into the open batch of its partition.
 */
export class Accumulator {
  readonly queues: PartitionQueue[] = [];
  readonly #budget: Budget;
  readonly #batchBytes: number;
  readonly #key: Buffer;
  #maxMessageBytes: number = LIMITS.maxMessageBytesDefault;
  #maxRequestBytes = Number.POSITIVE_INFINITY;
  /** The least of the three: no batch of more than one record is longer. */
  #batchBytesMax!: number;
  #sticky = 0;
  #onWork: WorkListener = () => {};

  constructor({ budget, batchBytes, maxEventBytes }: AccumulatorOptions) {
    this.#budget = budget;
    this.#batchBytes = batchBytes;
    this.#key = Buffer.allocUnsafeSlow(maxEventBytes * 3);
    this.#boundBatches();
  }

  /** Calls `listener` whenever a partition begins a batch or has one that is full. */
  onWork(listener: WorkListener): void {
    this.#onWork = listener;
  }

  /** Whether there is room for a frame that comes now; an event of it may still find none. */
  get takesFrames(): boolean {
    return this.#budget.takesFrames;
  }

  /** The topic has `count` partitions: fewer than before is not believed. */
  setPartitions(count: number): void {
    while (this.queues.length < count) this.queues.push(new PartitionQueue(this.queues.length));
  }

  /** The broker refuses longer batches: the topic's `max.message.bytes`. */
  setMaxMessageBytes(bytes: number): void {
    this.#maxMessageBytes = bytes;
    this.#boundBatches();
  }

  /** A batch fits a produce request, unless a single record does not. */
  setMaxRequestBytes(bytes: number): void {
    this.#maxRequestBytes = bytes;
    this.#boundBatches();
  }

  #boundBatches(): void {
    this.#batchBytesMax = Math.min(this.#batchBytes, this.#maxMessageBytes, this.#maxRequestBytes);
  }

  /**
   * Takes one event, `source[start, end)`, which is copied.
   * @param key its partition key; undefined = any partition
   * @param timestamp arrival in ms since 1970, @param arrivalMs the same by the monotonic clock
   * @returns undefined when it is taken, else why not; nothing is kept then
   */
  append(
    key: string | undefined,
    source: Uint8Array,
    start: number,
    end: number,
    timestamp: number,
    arrivalMs: number,
    owner: Owner,
    frame: number,
    event: number,
  ): EventCode | undefined {
    const scratch = this.#key;
    const keyBytes = key === undefined ? -1 : scratch.write(key, 'utf8');
    return this.appendWithKey(
      scratch,
      0,
      keyBytes,
      source,
      start,
      end,
      timestamp,
      arrivalMs,
      owner,
      frame,
      event,
    );
  }

  /** {@link append} with a key of `keyBytes` from `keySource[keyStart]` on; -1 = any partition. */
  appendWithKey(
    keySource: Uint8Array,
    keyStart: number,
    keyBytes: number,
    source: Uint8Array,
    start: number,
    end: number,
    timestamp: number,
    arrivalMs: number,
    owner: Owner,
    frame: number,
    event: number,
  ): EventCode | undefined {
    const { queues } = this;
    if (queues.length === 0) return 'kafka_unavailable';
    const valueBytes = end - start;
    const most = RECORD_OVERHEAD_BYTES_MAX + Math.max(0, keyBytes) + valueBytes;
    if (BATCH_HEADER_BYTES + most > this.#maxMessageBytes) return 'too_large';
    const queue =
      keyBytes >= 0
        ? queues[partitionOfKey(keySource, keyStart, keyBytes, queues.length)]!
        : this.#stickyQueue(timestamp, most);
    const batch = this.#batchWithRoom(queue, timestamp, most);
    if (batch === undefined) return 'buffer_full';
    batch.append(timestamp, keySource, keyStart, keyBytes, source, start, end);
    batch.own(owner, frame, event, arrivalMs);
    if (batch.records === 1) this.#onWork(queue);
    return undefined;
  }

  /** Gives the memory of a batch back whose fate is known. */
  release(batch: RecordBatch): void {
    this.#budget.release(batch.records * LIMITS.eventOverheadBytes);
    this.#giveCompressed(batch);
    this.#budget.give(batch.buffer);
  }

  /** Splits `batch`, keeping its first half in it. @returns the second half */
  split(batch: RecordBatch): RecordBatch {
    const rest = new RecordBatch(this.#budget.takeAnyway(batch.buffer.length));
    this.#giveCompressed(batch);
    batch.split(Math.ceil(batch.records / 2), rest);
    return rest;
  }

  #giveCompressed(batch: RecordBatch): void {
    const compressed = batch.forgetCompressed();
    if (compressed !== undefined) this.#budget.give(compressed.buffer);
  }

  /** Events without a key share a partition until its batch is closed or full: fuller batches. */
  #stickyQueue(timestamp: number, most: number): PartitionQueue {
    const open = this.queues[this.#sticky]!.open;
    if (open === undefined || !this.#fits(open, timestamp, most)) {
      this.#sticky = Math.floor(Math.random() * this.queues.length);
    }
    return this.queues[this.#sticky]!;
  }

  /**
   * The open batch with room for a record of `most` bytes, grown or begun anew; undefined over
   * budget.
   */
  #batchWithRoom(queue: PartitionQueue, timestamp: number, most: number): RecordBatch | undefined {
    const open = queue.open;
    if (open !== undefined && this.#fits(open, timestamp, most)) {
      return this.#grow(open, open.length + most) ? open : undefined;
    }
    const buffer = this.#budget.take(Math.max(FIRST_BUFFER_BYTES, BATCH_HEADER_BYTES + most));
    if (buffer === undefined) return undefined;
    if (!this.#budget.charge(LIMITS.eventOverheadBytes)) {
      this.#budget.give(buffer);
      return undefined;
    }
    if (open !== undefined) {
      queue.close();
      this.#onWork(queue);
    }
    const batch = new RecordBatch(buffer);
    queue.begin(batch);
    return batch;
  }

  /** Whether a record of `most` bytes may join `batch`, by length and time. */
  #fits(batch: RecordBatch, timestamp: number, most: number): boolean {
    const isNear = Math.abs(timestamp - batch.firstTimestamp) < TIMESTAMP_SPAN_MS;
    return isNear && batch.length + most <= this.#batchBytesMax;
  }

  /** Makes room for `needed` bytes and one event's bookkeeping. @returns false over budget */
  #grow(batch: RecordBatch, needed: number): boolean {
    if (!this.#budget.charge(LIMITS.eventOverheadBytes)) return false;
    if (needed <= batch.buffer.length) return true;
    const wanted = Math.max(needed, Math.min(batch.buffer.length * GROWTH, this.#batchBytes));
    const larger = this.#budget.take(wanted) ?? this.#budget.take(needed);
    if (larger === undefined) {
      this.#budget.release(LIMITS.eventOverheadBytes);
      return false;
    }
    assert(larger.length >= needed, 'the pool gives no less than asked');
    batch.buffer.copy(larger, 0, 0, batch.length);
    this.#budget.give(batch.buffer);
    batch.buffer = larger;
    return true;
  }
}
