import { LIMITS } from '../../config/limits.ts';
import type { TimestampBounds } from '../../ipc.ts';
import { Lane } from '../producer/lane.ts';
import type { RecordBatch, TopicPartition } from './batch.ts';
import type { BudgetShare } from './budget-share.ts';
import { partitionOfHash } from './murmur2.ts';
import { PartitionQueue } from './queue.ts';

/**
 * Last metadata response for a topic: none yet, no such topic, its partitions, or a rejection that
 * lasts until an operator acts.
 */
export type TopicState = 'unknown' | 'missing' | 'known' | 'rejected';

/** Broker as seen by the partitions that it leads. */
export interface Leader {
  readonly id: number;
  readonly address: { readonly host: string; readonly port: number };
  readonly connected: boolean;
  /** Time of the last request, on the monotonic clock. */
  readonly sentAtMs: number;
  /** End of throttling by the broker, on the monotonic clock. */
  readonly mutedUntilMs: number;
}

/** A topic and its partitions. Holds all state that must not outlive a deletion of the topic. */
export class Topic {
  readonly name: string;
  state: TopicState = 'unknown';
  /** The topic's `max.message.bytes`: brokers reject longer batches. */
  maxMessageBytes: number = LIMITS.maxMessageBytesDefault;
  /** Brokers reject batches with other timestamps. */
  timestamps: TimestampBounds = {};
  /** Indexed by partition number. */
  readonly partitions: Partition[] = [];
  /** Partition of events without a key until its batch is closed or full. */
  sticky: Partition | undefined;
  /** Bounds the memory of its batches; undefined = they may use the whole budget. */
  readonly share: BudgetShare | undefined;
  /** The instance is ready only while events of the topic can be stored. */
  required: boolean;
  /** Its records are dead letters; this never changes. */
  readonly hasDeadLetters: boolean;
  /** Reasons to hold new batches. */
  readonly #holds = new Set<object>();

  /** Offset of the cells of its first stream in the metrics, for what its streams share. */
  cells = 0;

  constructor(name: string, share?: BudgetShare, required = true, hasDeadLetters = false) {
    this.name = name;
    this.share = share;
    this.required = required;
    this.hasDeadLetters = hasDeadLetters;
  }

  /**
   * Returns the partition for a key, as Kafka's Java client chooses it.
   * @param hash murmur2 of the key
   */
  partitionOf(hash: number): Partition {
    const { partitions } = this;
    return partitions[partitionOfHash(hash, partitions.length)]!;
  }

  /** Adds or removes partitions. @returns the removed ones */
  resize(count: number): Partition[] {
    const removed = this.partitions.splice(count);
    while (this.partitions.length < count) {
      const partition = new Partition(this, this.partitions.length);
      if (this.#holds.size > 0) partition.queue.hold();
      this.partitions.push(partition);
    }
    if (this.sticky?.removed) this.sticky = undefined;
    return removed;
  }

  /** Keeps batches that begin from now on until {@link release} of the same reason. */
  hold(reason: object): void {
    this.#holds.add(reason);
    for (const { queue } of this.partitions) queue.hold();
  }

  /** Ends {@link hold}; batches may be taken again when no reason is left. */
  release(reason: object): void {
    this.#holds.delete(reason);
    if (this.#holds.size === 0) for (const { queue } of this.partitions) queue.release();
  }

  /**
   * Returns whether senders wait for results of events that were accepted until `atMs`.
   * @param atMs on the monotonic clock
   */
  isAwaited(atMs = Number.POSITIVE_INFINITY): boolean {
    let awaited = false;
    const visit = ({ answered, openedAtMs }: RecordBatch) => {
      awaited ||= !answered && openedAtMs <= atMs;
    };
    for (const { lane, queue } of this.partitions) {
      lane.walk(visit);
      queue.walk(visit);
    }
    return awaited;
  }

  /**
   * The topic was deleted and created again. Until its configuration is read, brokers decide which
   * records they reject, since that is final.
   */
  recreated(): void {
    this.maxMessageBytes = Math.max(this.maxMessageBytes, LIMITS.maxMessageBytesDefault);
    this.timestamps = {};
  }
}

/** A partition of a topic: its queue, lane and leader. */
export class Partition implements TopicPartition {
  readonly topic: Topic;
  readonly number: number;
  readonly queue = new PartitionQueue();
  readonly lane = new Lane();
  #leader: Leader | undefined;
  #leaderlessSinceMs: number | undefined;

  constructor(topic: Topic, number: number) {
    this.topic = topic;
    this.number = number;
  }

  /** Leader of the partition; undefined = none known. */
  get leader(): Leader | undefined {
    return this.#leader;
  }

  /** Time since which it has no leader, on the monotonic clock. */
  get leaderlessSinceMs(): number | undefined {
    return this.#leaderlessSinceMs;
  }

  setLeader(leader: Leader | undefined, nowMs: number): void {
    this.#leader = leader;
    this.#leaderlessSinceMs = leader === undefined ? (this.#leaderlessSinceMs ?? nowMs) : undefined;
  }

  /** The topic was created again without this partition. */
  get removed(): boolean {
    return this.topic.partitions[this.number] !== this;
  }
}
