import assert from 'node:assert/strict';
import type { EventCode } from '../../common/errors.ts';
import { KIB, LIMITS } from '../../config/limits.ts';
import { type Owner, RecordBatch } from './batch.ts';
import type { Budget } from './budget.ts';
import { partitionOfKey } from './murmur2.ts';
import { BATCH_HEADER_BYTES, RECORD_OVERHEAD_BYTES_MAX, readRecords } from './records.ts';
import type { Partition, Topic } from './topic.ts';

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
export type WorkListener = (partition: Partition) => void;

/**
 * Takes accepted events: chooses the partition once, and writes each event once, as a Kafka
 * record, into the open batch of its partition.
 */
export class Accumulator {
  readonly #budget: Budget;
  readonly #batchBytes: number;
  readonly #key: Buffer;
  /** No batch of more than one record is longer, whatever its topic allows. */
  #batchBytesMax: number;
  #owner!: Owner;
  #frame = 0;
  #timestamp = 0;
  #arrivalMs = 0;
  #onWork: WorkListener = () => {};
  #onTooLarge: (topic: Topic) => void = () => {};

  constructor({ budget, batchBytes, maxEventBytes }: AccumulatorOptions) {
    this.#budget = budget;
    this.#batchBytes = batchBytes;
    this.#key = Buffer.allocUnsafeSlow(maxEventBytes * 3);
    this.#batchBytesMax = batchBytes;
  }

  /** Calls `listener` whenever a partition begins a batch or has one that is full. */
  onWork(listener: WorkListener): void {
    this.#onWork = listener;
  }

  /** Calls `listener` whenever an event is longer than its topic takes, as far as is known. */
  onTooLarge(listener: (topic: Topic) => void): void {
    this.#onTooLarge = listener;
  }

  /** Whether there is room for a frame that comes now; an event of it may still find none. */
  get takesFrames(): boolean {
    return this.#budget.takesFrames;
  }

  /** A batch fits a produce request, unless a single record does not. */
  setMaxRequestBytes(bytes: number): void {
    this.#batchBytesMax = Math.min(this.#batchBytes, bytes);
  }

  /**
   * Begins a frame: the next events are of this frame, until another begins.
   * @param owner receives the result of each event
   * @param timestamp arrival in ms since 1970, of the records
   * @param arrivalMs the same by the monotonic clock
   */
  beginFrame(owner: Owner, frame: number, timestamp: number, arrivalMs: number): void {
    this.#owner = owner;
    this.#frame = frame;
    this.#timestamp = timestamp;
    this.#arrivalMs = arrivalMs;
  }

  /**
   * Appends event number `event` of the frame, a copy of `source[start, end)`, to `topic`.
   * @param key its partition key; undefined = any partition
   * @returns undefined when it is accepted, else the code of the rejection; nothing is kept then
   */
  append(
    topic: Topic,
    event: number,
    source: Uint8Array,
    start: number,
    end: number,
    key: string | undefined,
  ): EventCode | undefined {
    const keyBytes = key === undefined ? -1 : this.#key.write(key, 'utf8');
    return this.appendWithKey(topic, event, source, start, end, this.#key, 0, keyBytes);
  }

  /** {@link append} with a key of `keyBytes` from `keySource[keyStart]` on; -1 = any partition. */
  appendWithKey(
    topic: Topic,
    event: number,
    source: Uint8Array,
    start: number,
    end: number,
    keySource: Uint8Array,
    keyStart: number,
    keyBytes: number,
  ): EventCode | undefined {
    if (topic.partitions.length === 0) return 'kafka_unavailable';
    const valueBytes = end - start;
    const most = RECORD_OVERHEAD_BYTES_MAX + Math.max(0, keyBytes) + valueBytes;
    if (BATCH_HEADER_BYTES + most > topic.maxMessageBytes) {
      this.#onTooLarge(topic);
      return 'too_large';
    }
    const timestamp = this.#timestamp;
    const partition =
      keyBytes >= 0
        ? partitionWith(topic, keySource, keyStart, keyBytes)
        : this.#stickyPartition(topic, timestamp, most);
    const batch = this.#batchWithRoom(partition, timestamp, most);
    if (batch === undefined) return 'buffer_full';
    batch.append(timestamp, keySource, keyStart, keyBytes, source, start, end);
    batch.own(this.#owner, this.#frame, event, this.#arrivalMs);
    if (batch.records === 1) this.#onWork(partition);
    return undefined;
  }

  /**
   * Appends the records of `batch`, whose partition was removed, to partitions that `topic` has now:
   * in order, and beyond the budget, since they were accepted. The caller releases `batch`.
   */
  repartition(batch: RecordBatch, topic: Topic): void {
    const { buffer, owners, frames, events, arrivalsMs } = batch;
    for (const [index, slice] of readRecords(buffer, batch.records).entries()) {
      const { keyStart, keyBytes, valueStart, valueBytes } = slice;
      const timestamp = batch.firstTimestamp + slice.timestampDelta;
      const most = RECORD_OVERHEAD_BYTES_MAX + Math.max(0, keyBytes) + valueBytes;
      const partition =
        keyBytes >= 0
          ? partitionWith(topic, buffer, keyStart, keyBytes)
          : this.#stickyPartition(topic, timestamp, most);
      const arrivalMs = arrivalsMs[index]!;
      const target = this.#batchForMoved(partition, timestamp, most, arrivalMs);
      this.#budget.chargeAnyway(LIMITS.eventOverheadBytes);
      const valueEnd = valueStart + valueBytes;
      target.append(timestamp, buffer, keyStart, keyBytes, buffer, valueStart, valueEnd);
      target.own(owners[index]!, frames[index]!, events[index]!, arrivalMs);
      if (target.records === 1) this.#onWork(partition);
    }
  }

  /** Gives the memory of a batch back whose fate is known. */
  release(batch: RecordBatch): void {
    this.#budget.release(batch.records * LIMITS.eventOverheadBytes);
    this.#giveCompressed(batch);
    this.#budget.give(batch.buffer);
  }

  /** Splits `batch`, keeping its first half in it. @returns the second half */
  split(batch: RecordBatch): RecordBatch {
    const rest = new RecordBatch(this.#budget.takeAnyway(batch.buffer.length), batch.partition);
    this.#giveCompressed(batch);
    batch.split(Math.ceil(batch.records / 2), rest);
    return rest;
  }

  #giveCompressed(batch: RecordBatch): void {
    const compressed = batch.forgetCompressed();
    if (compressed !== undefined) this.#budget.give(compressed.buffer);
  }

  /** Events without a key share a partition until its batch is closed or full: fuller batches. */
  #stickyPartition(topic: Topic, timestamp: number, most: number): Partition {
    const { sticky, partitions } = topic;
    const open = sticky?.queue.open;
    if (open !== undefined && this.#fits(open, topic, timestamp, most)) return sticky!;
    const chosen = partitions[Math.floor(Math.random() * partitions.length)]!;
    topic.sticky = chosen;
    return chosen;
  }

  /**
   * The open batch with room for a record of `most` bytes, grown or begun anew; undefined over
   * budget.
   */
  #batchWithRoom(partition: Partition, timestamp: number, most: number): RecordBatch | undefined {
    const { queue } = partition;
    const open = queue.open;
    if (open !== undefined && this.#fits(open, partition.topic, timestamp, most)) {
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
      this.#onWork(partition);
    }
    const batch = new RecordBatch(buffer, partition);
    queue.begin(batch);
    return batch;
  }

  /**
   * The open batch of `partition` with room for a record that moves there, or a new one. Events
   * that arrived far apart share none: a batch expires with its oldest. A batch takes no more
   * memory than its records need: those of one batch may spread over all partitions.
   */
  #batchForMoved(
    partition: Partition,
    timestamp: number,
    most: number,
    arrivalMs: number,
  ): RecordBatch {
    const { queue, topic } = partition;
    const { open } = queue;
    if (open !== undefined) {
      const isNear = Math.abs(arrivalMs - open.openedAtMs) <= LIMITS.batchOpenMsMax;
      if (isNear && this.#fits(open, topic, timestamp, most)) {
        const needed = open.length + most;
        if (needed > open.buffer.length) this.#moveTo(this.#budget.takeAnyway(needed), open);
        return open;
      }
      queue.close();
    }
    const batch = new RecordBatch(this.#budget.takeAnyway(BATCH_HEADER_BYTES + most), partition);
    queue.begin(batch);
    return batch;
  }

  /** Whether a record of `most` bytes may join `batch`, by length and time. */
  #fits(batch: RecordBatch, topic: Topic, timestamp: number, most: number): boolean {
    const isNear = Math.abs(timestamp - batch.firstTimestamp) < TIMESTAMP_SPAN_MS;
    const length = batch.length + most;
    return isNear && length <= this.#batchBytesMax && length <= topic.maxMessageBytes;
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
    this.#moveTo(larger, batch);
    return true;
  }

  /** Moves what is written of an open batch to a larger buffer. */
  #moveTo(larger: Buffer, batch: RecordBatch): void {
    batch.buffer.copy(larger, 0, 0, batch.length);
    this.#budget.give(batch.buffer);
    batch.buffer = larger;
  }
}

function partitionWith(
  { partitions }: Topic,
  keySource: Uint8Array,
  keyStart: number,
  keyBytes: number,
): Partition {
  return partitions[partitionOfKey(keySource, keyStart, keyBytes, partitions.length)]!;
}
