/**
 * Producer that stores batches in the log of `forebay micro` instead of Kafka. Invariant: as with
 * Kafka, a batch is in a queue until it has one result; a partition has no batch in flight.
 */
import assert from 'node:assert/strict';
import { systemReason } from '../common/errors.ts';
import type { Delivery } from '../ipc.ts';
import { declaredStreamAt } from '../metrics/slots.ts';
import { DEFAULT_STREAM } from '../streams/stream-file.ts';
import type { RecordBatch } from '../worker/accumulator/batch.ts';
import type { Leader, Partition, Topic } from '../worker/accumulator/topic.ts';
import type { ProducerParts } from '../worker/event-storage.ts';
import type { EventProducer } from '../worker/producer/event-producer.ts';
import type { EventLog } from './event-log.ts';

/** Leader of every partition: this process. */
const HERE: Leader = {
  id: 0,
  address: { host: 'localhost', port: 0 },
  connected: true,
  sentAtMs: 0,
  mutedUntilMs: 0,
};

export class LogProducer implements EventProducer {
  readonly health = { authenticated: () => {}, leaderless: () => 0 };
  readonly #parts: ProducerParts;
  readonly #log: EventLog;
  readonly #partitionsOf: (topic: string) => number;
  /** Partitions that may have batches. */
  readonly #due = new Set<Partition>();
  #isScheduled = false;
  #storedAtMs = Number.NEGATIVE_INFINITY;

  /** @param partitionsOf returns the number of a topic's partitions */
  constructor(parts: ProducerParts, log: EventLog, partitionsOf: (topic: string) => number) {
    this.#parts = parts;
    this.#log = log;
    this.#partitionsOf = partitionsOf;
    for (const topic of parts.topics) this.#open(topic);
    parts.accumulator.onWork((partition) => this.#schedule(partition));
  }

  start(): void {
    this.#parts.topicListener.reached();
  }

  stop(): void {
    this.flush();
  }

  flush(): void {
    this.#storeAll();
  }

  refresh(): void {}

  resume(): void {
    for (const partition of this.#partitions()) this.#schedule(partition);
  }

  addTopic(topic: Topic): void {
    this.#parts.topics.push(topic);
    this.#open(topic);
  }

  removeTopic(topic: Topic): void {
    const { topics } = this.#parts;
    assert(!topic.isAwaited() && topics.includes(topic), 'senders wait for no event of the topic');
    topics.splice(topics.indexOf(topic), 1);
    for (const partition of topic.resize(0)) this.#store(partition);
  }

  get settled(): boolean {
    return this.#partitions().every(({ queue, topic }) => queue.empty || topic.hasDeadLetters);
  }

  walk(visit: (batch: RecordBatch) => void): void {
    for (const { queue } of this.#partitions()) queue.walk(visit);
  }

  countLanes(): void {}

  delivery(nowMs: number): Delivery {
    return {
      unreachableMs: 0,
      stuckMs: 0,
      unansweredMs: 0,
      stuckPartitions: 0,
      partitions: this.#partitions().length,
      storedAgoMs: nowMs - this.#storedAtMs,
      reason: '',
    };
  }

  #partitions(): Partition[] {
    return this.#parts.topics.flatMap(({ partitions }) => partitions);
  }

  /** Makes a topic usable at once: there is nothing to connect to. */
  #open(topic: Topic): void {
    topic.state = 'known';
    topic.resize(this.#partitionsOf(topic.name));
    for (const partition of topic.partitions) {
      partition.setLeader(HERE, performance.now());
      partition.lane.setProducerId(0n, 0);
    }
  }

  /** Stores the batches of a partition after this turn of the event loop. */
  #schedule(partition: Partition): void {
    this.#due.add(partition);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#storeAll();
    });
  }

  #storeAll(): void {
    const due = [...this.#due];
    this.#due.clear();
    for (const partition of due) this.#store(partition);
  }

  #store({ queue }: Partition): void {
    for (let batch = queue.take(); batch !== undefined; batch = queue.take()) this.#settle(batch);
  }

  /** Stores a batch: whole, or in halves if it has several streams or does not fit. */
  #settle(batch: RecordBatch): void {
    const { accumulator, deliveries } = this.#parts;
    const result = this.#append(batch);
    if (result === 'stored') {
      this.#storedAtMs = performance.now();
      deliveries.stored(batch);
    } else if (result === 'parts' && batch.records > 1) {
      const rest = accumulator.split(batch);
      this.#settle(batch);
      this.#settle(rest);
    } else deliveries.rejected(batch, 'buffer_full');
  }

  #append(batch: RecordBatch): 'stored' | 'parts' | 'failed' {
    for (let index = 1; index < batch.records; index++) {
      if (!batch.isSameStream(0, index)) return 'parts';
    }
    const { faults } = this.#parts;
    const stream = this.#streamOf(batch);
    const outcome = batch.partition.topic.hasDeadLetters ? 'dead_letter' : 'stored';
    try {
      if (this.#log.append(stream, batch, outcome)) return 'stored';
    } catch (error) {
      faults.error(stream, { stream, error: systemReason(error) }, 'event log cannot be written');
      return 'failed';
    }
    if (batch.records === 1) faults.warn(stream, { stream, outcome }, 'event log is full');
    return 'parts';
  }

  /** The cells of a dead letter are those of its event. */
  #streamOf(batch: RecordBatch): string {
    const { topic } = batch.partition;
    const cells = topic.hasDeadLetters ? (topic.cells ?? 0) : batch.cellsOf(0);
    return declaredStreamAt(this.#parts.counters.slots, cells) ?? DEFAULT_STREAM;
  }
}
