import assert from 'node:assert/strict';
import type { EventCode } from '../../common/errors.ts';
import { KIB, LIMITS } from '../../config/limits.ts';
import { type Owner, RecordBatch, type TopicPartition } from './batch.ts';
import type { Budget } from './budget.ts';
import type { BatchMemory } from './budget-share.ts';
import type { KeyRange } from './key-range.ts';
import { murmur2 } from './murmur2.ts';
import {
  BATCH_HEADER_BYTES,
  type EncodedHeaders,
  NO_HEADERS,
  RECORD_OVERHEAD_BYTES_MAX,
  readRecords,
} from './records.ts';
import type { Partition, Topic } from './topic.ts';

/** Initial buffer size of a batch: idle partitions hold little memory. */
const FIRST_BUFFER_BYTES = 2 * KIB;
/** Factor by which a full buffer grows. */
const GROWTH = 4;

export interface AccumulatorOptions {
  readonly budget: Budget;
  /** Maximum bytes of a batch, unless a single record needs more. */
  readonly batchBytes: number;
  /** Maximum bytes of an event, and thus of a key. */
  readonly maxEventBytes: number;
}

/** The part of an accumulator that an intake uses. */
export type RecordSink = Pick<
  Accumulator,
  'acceptsFrames' | 'beginFrame' | 'useStream' | 'useFormat' | 'append' | 'appendWithKey'
>;

/** Called with a partition that has something to send. */
export type WorkListener = (partition: Partition) => void;

/**
 * Accumulates accepted events: chooses the partition once, and writes each event once, as a Kafka
 * record, into the open batch of its partition.
 */
export class Accumulator {
  readonly #options: AccumulatorOptions;
  readonly #budget: Budget;
  readonly #batchBytes: number;
  readonly #key: { -readonly [name in keyof KeyRange]: KeyRange[name] } & { keySource: Buffer };
  /** Maximum bytes of a batch with several records; its topic may allow less. */
  #batchBytesMax: number;
  #owner!: Owner;
  #frame = 0;
  #arrivalTime = 0;
  #arrivalMs = 0;
  #cells = 0;
  /** Of the subsequent records. */
  #timestamp = 0;
  #hasEventTime = false;
  #headers = NO_HEADERS;
  readonly #siblings: Accumulator[] = [];
  #onWork: WorkListener = () => {};
  #onTooLarge: (topic: Topic) => void = () => {};

  constructor(options: AccumulatorOptions) {
    const { budget, batchBytes, maxEventBytes } = options;
    this.#options = options;
    this.#budget = budget;
    this.#batchBytes = batchBytes;
    const keySource = Buffer.allocUnsafeSlow(maxEventBytes * 3);
    this.#key = { keySource, keyStart: 0, keyBytes: -1, keyHash: 0 };
    this.#batchBytesMax = batchBytes;
  }

  /** Calls `listener` whenever a partition opens or fills a batch. */
  onWork(listener: WorkListener): void {
    this.#onWork = listener;
  }

  /** Calls `listener` whenever an event exceeds the known `max.message.bytes` of its topic. */
  onTooLarge(listener: (topic: Topic) => void): void {
    this.#onTooLarge = listener;
  }

  /** Returns an accumulator of the same batches with a frame of its own. */
  sibling(): Accumulator {
    const sibling = new Accumulator(this.#options);
    sibling.#batchBytesMax = this.#batchBytesMax;
    sibling.onWork((partition) => this.#onWork(partition));
    sibling.onTooLarge((topic) => this.#onTooLarge(topic));
    this.#siblings.push(sibling);
    return sibling;
  }

  /** Returns whether there is room for a new frame, not necessarily for all of its events. */
  acceptsFrames(topic: Topic): boolean {
    return this.#memoryOf(topic).acceptsFrames;
  }

  #memoryOf({ share }: TopicPartition['topic']): BatchMemory {
    return share ?? this.#budget;
  }

  /** Limits batches to a produce request, except those of a single record. */
  setMaxRequestBytes(bytes: number): void {
    this.#batchBytesMax = Math.min(this.#batchBytes, bytes);
    for (const sibling of this.#siblings) sibling.setMaxRequestBytes(bytes);
  }

  /**
   * Begins a frame: subsequent events belong to it.
   * @param owner receives the result of each event
   * @param arrivalTime in ms since 1970; timestamp of records without another one
   * @param arrivalMs arrival on the monotonic clock
   * @param cells see {@link useStream}
   */
  beginFrame(
    owner: Owner,
    frame: number,
    arrivalTime: number,
    arrivalMs: number,
    cells: number,
  ): void {
    this.#owner = owner;
    this.#frame = frame;
    this.#arrivalTime = arrivalTime;
    this.#arrivalMs = arrivalMs;
    this.useStream(cells);
  }

  /**
   * Counts subsequent events for another stream. Their records have no headers, until
   * {@link useFormat}.
   * @param cells offset of its cells in the metrics
   */
  useStream(cells: number): void {
    this.#cells = cells;
    this.#timestamp = this.#arrivalTime;
    this.#hasEventTime = false;
    this.#headers = NO_HEADERS;
  }

  /**
   * Sets headers and timestamp of the next record.
   * @param eventTime in ms since 1970; undefined = the time of arrival
   */
  useFormat(headers: EncodedHeaders, eventTime: number | undefined): void {
    this.#headers = headers;
    this.#timestamp = eventTime ?? this.#arrivalTime;
    this.#hasEventTime = eventTime !== undefined;
  }

  /**
   * Appends event number `event` of the frame, a copy of `source[start, end)`, to `topic`.
   * @param key partition key; undefined = any partition
   * @returns undefined if accepted; otherwise the rejection code, and nothing is kept
   */
  append(
    topic: Topic,
    event: number,
    source: Uint8Array,
    start: number,
    end: number,
    key: string | undefined,
  ): EventCode | undefined {
    const range = this.#key;
    range.keyBytes = key === undefined ? -1 : range.keySource.write(key, 'utf8');
    if (range.keyBytes >= 0) range.keyHash = murmur2(range.keySource, 0, range.keyBytes);
    return this.appendWithKey(topic, event, source, start, end, range);
  }

  /** {@link append} with a key that is a range of bytes. */
  appendWithKey(
    topic: Topic,
    event: number,
    source: Uint8Array,
    start: number,
    end: number,
    { keySource, keyStart, keyBytes, keyHash }: KeyRange,
  ): EventCode | undefined {
    if (topic.partitions.length === 0) return 'kafka_unavailable';
    const valueBytes = end - start;
    const headers = this.#headers;
    const contentBytes = Math.max(0, keyBytes) + valueBytes + headers.length;
    const maxBytes = RECORD_OVERHEAD_BYTES_MAX + contentBytes;
    if (BATCH_HEADER_BYTES + maxBytes > topic.maxMessageBytes) {
      this.#onTooLarge(topic);
      return 'too_large';
    }
    const timestamp = this.#timestamp;
    const partition =
      keyBytes >= 0
        ? topic.partitionOf(keyHash)
        : this.#stickyPartition(topic, timestamp, maxBytes);
    const batch = this.#batchWithRoom(partition, timestamp, maxBytes);
    if (batch === undefined) return 'buffer_full';
    batch.append(timestamp, keySource, keyStart, keyBytes, source, start, end, headers);
    if (this.#hasEventTime) batch.hasEventTimes = true;
    batch.addOwner(this.#owner, this.#frame, event, this.#arrivalMs, this.#cells);
    if (batch.records === 1) this.#onWork(partition);
    return undefined;
  }

  /**
   * Appends the records of `batch`, whose partition was removed, to the current partitions of
   * `topic`, in order. Exceeds the budget if necessary, since the events are already accepted. The
   * caller releases `batch`.
   */
  repartition(batch: RecordBatch, topic: Topic): void {
    const { buffer, owners, frames, events, arrivalsMs } = batch;
    for (const [index, slice] of readRecords(buffer, batch.records).entries()) {
      const { keyStart, keyBytes, contentStart, end } = slice;
      const timestamp = batch.firstTimestamp + slice.timestampDelta;
      const maxBytes = RECORD_OVERHEAD_BYTES_MAX + end - contentStart;
      const partition =
        keyBytes >= 0
          ? topic.partitionOf(murmur2(buffer, keyStart, keyBytes))
          : this.#stickyPartition(topic, timestamp, maxBytes);
      const arrivalMs = arrivalsMs[index]!;
      const target = this.#batchForMoved(partition, timestamp, maxBytes, arrivalMs);
      this.#memoryOf(topic).forceCharge(LIMITS.eventOverheadBytes);
      target.appendContent(timestamp, buffer, contentStart, end);
      if (batch.hasEventTimes) target.hasEventTimes = true;
      const cells = batch.cellsOf(index);
      target.addOwner(owners[index]!, frames[index]!, events[index]!, arrivalMs, cells);
      if (target.records === 1) this.#onWork(partition);
    }
  }

  /** Releases the memory of a batch that has its result. */
  release(batch: RecordBatch): void {
    const memory = this.#memoryOf(batch.partition.topic);
    memory.release(batch.records * LIMITS.eventOverheadBytes);
    this.#releaseCompressed(batch);
    memory.deallocate(batch.buffer);
  }

  /** Splits `batch`, which keeps its first half. @returns the second half */
  split(batch: RecordBatch): RecordBatch {
    const { partition, buffer } = batch;
    const memory = this.#memoryOf(partition.topic);
    const rest = new RecordBatch(memory.forceAllocate(buffer.length), partition);
    this.#releaseCompressed(batch);
    batch.split(Math.ceil(batch.records / 2), rest);
    return rest;
  }

  #releaseCompressed(batch: RecordBatch): void {
    const compressed = batch.discardCompressed();
    const memory = this.#memoryOf(batch.partition.topic);
    if (compressed !== undefined) memory.deallocate(compressed.buffer);
  }

  /** Keeps events without a key on one partition until its batch is closed or full. */
  #stickyPartition(topic: Topic, timestamp: number, maxBytes: number): Partition {
    const { sticky, partitions } = topic;
    const open = sticky?.queue.open;
    if (open !== undefined && this.#fits(open, topic, timestamp, maxBytes)) return sticky!;
    const chosen = partitions[Math.floor(Math.random() * partitions.length)]!;
    topic.sticky = chosen;
    return chosen;
  }

  /**
   * Returns an open batch with room for a record of up to `maxBytes`: the current one, grown if
   * necessary, or a new one; undefined = over budget.
   */
  #batchWithRoom(
    partition: Partition,
    timestamp: number,
    maxBytes: number,
  ): RecordBatch | undefined {
    const { queue, topic } = partition;
    const memory = this.#memoryOf(topic);
    const open = queue.open;
    if (open !== undefined && this.#fits(open, topic, timestamp, maxBytes)) {
      return this.#grow(open, open.length + maxBytes, memory) ? open : undefined;
    }
    const buffer = memory.allocate(Math.max(FIRST_BUFFER_BYTES, BATCH_HEADER_BYTES + maxBytes));
    if (buffer === undefined) return undefined;
    if (!memory.charge(LIMITS.eventOverheadBytes)) {
      memory.deallocate(buffer);
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
   * Returns the open batch of `partition` with room for a moved record, or a new one. Events that
   * arrived far apart do not share a batch, since it expires with its oldest event. The buffer has
   * only the needed size: the records of one removed batch may spread over all partitions.
   */
  #batchForMoved(
    partition: Partition,
    timestamp: number,
    maxBytes: number,
    arrivalMs: number,
  ): RecordBatch {
    const { queue, topic } = partition;
    const memory = this.#memoryOf(topic);
    const { open } = queue;
    if (open !== undefined) {
      const isNear = Math.abs(arrivalMs - open.openedAtMs) <= LIMITS.batchOpenMsMax;
      if (isNear && this.#fits(open, topic, timestamp, maxBytes)) {
        const needed = open.length + maxBytes;
        if (needed > open.buffer.length) this.#moveTo(memory.forceAllocate(needed), open, memory);
        return open;
      }
      queue.close();
    }
    const batch = new RecordBatch(memory.forceAllocate(BATCH_HEADER_BYTES + maxBytes), partition);
    queue.begin(batch);
    return batch;
  }

  /** Whether a record of up to `maxBytes` may join `batch`, by length and time. */
  #fits(batch: RecordBatch, topic: Topic, timestamp: number, maxBytes: number): boolean {
    const isNear = Math.abs(timestamp - batch.firstTimestamp) <= LIMITS.streamFile.timeSpanMs;
    const length = batch.length + maxBytes;
    return isNear && length <= this.#batchBytesMax && length <= topic.maxMessageBytes;
  }

  /** Makes room for `needed` bytes and the bookkeeping of an event. @returns false = over budget */
  #grow(batch: RecordBatch, needed: number, memory: BatchMemory): boolean {
    if (!memory.charge(LIMITS.eventOverheadBytes)) return false;
    if (needed <= batch.buffer.length) return true;
    const wanted = Math.max(needed, Math.min(batch.buffer.length * GROWTH, this.#batchBytes));
    const larger = memory.allocate(wanted) ?? memory.allocate(needed);
    if (larger === undefined) {
      memory.release(LIMITS.eventOverheadBytes);
      return false;
    }
    assert(larger.length >= needed, 'the pool allocates at least the requested bytes');
    this.#moveTo(larger, batch, memory);
    return true;
  }

  /** Moves the content of an open batch to a larger buffer. */
  #moveTo(larger: Buffer, batch: RecordBatch, memory: BatchMemory): void {
    batch.buffer.copy(larger, 0, 0, batch.length);
    memory.deallocate(batch.buffer);
    batch.buffer = larger;
  }
}
