import { LIMITS } from '../../config/limits.ts';
import { Lane } from '../producer/lane.ts';
import type { TopicPartition } from './batch.ts';
import { PartitionQueue } from './queue.ts';

/**
 * Last answer of Kafka about a topic: none yet, no such topic, its partitions, or a rejection that
 * lasts until an operator acts.
 */
export type TopicState = 'unknown' | 'missing' | 'known' | 'rejected';

/** The part of a broker that its partitions need. */
export interface Leader {
  readonly id: number;
  readonly address: { readonly host: string; readonly port: number };
  readonly connected: boolean;
  /** Time of the last request, by the monotonic clock. */
  readonly sentAtMs: number;
  /** End of a pause that the broker has asked for, by the monotonic clock. */
  readonly mutedUntilMs: number;
}

/** One topic and its partitions. Whatever must not outlive a deletion of the topic is held here. */
export class Topic {
  readonly name: string;
  state: TopicState = 'unknown';
  /** The topic's `max.message.bytes`: brokers reject longer batches. */
  maxMessageBytes: number = LIMITS.maxMessageBytesDefault;
  /** By number. */
  readonly partitions: Partition[] = [];
  /** Partition of events without a key until its batch is closed or full. */
  sticky: Partition | undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** Adds or removes partitions. @returns the removed ones */
  resize(count: number): Partition[] {
    const removed = this.partitions.splice(count);
    while (this.partitions.length < count) {
      this.partitions.push(new Partition(this, this.partitions.length));
    }
    if (this.sticky?.removed) this.sticky = undefined;
    return removed;
  }

  /**
   * The topic was deleted and created again. Its `max.message.bytes` has yet to be read: until then
   * brokers decide what is too large, since that rejection is final.
   */
  recreated(): void {
    this.maxMessageBytes = Math.max(this.maxMessageBytes, LIMITS.maxMessageBytesDefault);
  }
}

/** One partition of one topic: events that wait for it, their way to Kafka, its leader. */
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

  /** The broker that leads the partition; undefined = none does, as far as is known. */
  get leader(): Leader | undefined {
    return this.#leader;
  }

  /** Time since which it has no leader, by the monotonic clock. */
  get leaderlessSinceMs(): number | undefined {
    return this.#leaderlessSinceMs;
  }

  setLeader(leader: Leader | undefined, nowMs: number): void {
    this.#leader = leader;
    this.#leaderlessSinceMs = leader === undefined ? (this.#leaderlessSinceMs ?? nowMs) : undefined;
  }

  /** Its topic was created again without it. */
  get removed(): boolean {
    return this.topic.partitions[this.number] !== this;
  }
}
