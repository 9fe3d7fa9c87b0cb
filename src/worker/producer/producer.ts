/**
 * Drives lanes and brokers: decides when a lane's batch is sent, and reports its result. lane.ts
 * alone derives that result from the outcomes of the attempts.
 * Invariant: a batch is in a queue or in one lane, and leaves with one result.
 */
import assert from 'node:assert/strict';
import type { Delivery } from '../../ipc.ts';
import type { Counters } from '../../metrics/counters.ts';
import type { Accumulator } from '../accumulator/accumulator.ts';
import type { RecordBatch } from '../accumulator/batch.ts';
import type { Budget } from '../accumulator/budget.ts';
import type { Partition, Topic } from '../accumulator/topic.ts';
import type { Faults } from '../faults.ts';
import { Broker, type BrokerListener, copiesOfRequests, requestBytesMax } from './broker.ts';
import type { Compressor } from './compressor.ts';
import type { DeliveryListener } from './delivery-listener.ts';
import { type Outcome, UNKNOWN_TOPIC_OR_PARTITION } from './error-table.ts';
import type { EventProducer } from './event-producer.ts';
import { Expiry } from './expiry.ts';
import { Health } from './health.ts';
import type { Address, CreateLink } from './link.ts';
import { type ClusterView, Metadata, type TopicView } from './metadata.ts';
import { ProduceMetrics } from './produce-metrics.ts';
import { RemovedPartitions } from './removed-partitions.ts';
import type { TopicListener } from './topic-listener.ts';

export interface ProducerOptions {
  /** {@link Producer.addTopic} and {@link Producer.removeTopic} change it. */
  readonly topics: Topic[];
  readonly bootstrap: readonly Address[];
  readonly createLink: CreateLink;
  readonly faults: Faults;
  readonly lingerMs: number;
  readonly eventTimeoutMs: number;
  readonly maxRequestBytes: number;
  readonly budget: Budget;
  readonly accumulator: Accumulator;
  /** Undefined = batches are sent uncompressed. */
  readonly compressor?: Compressor | undefined;
  readonly counters: Counters;
  readonly deliveryListener: DeliveryListener;
  readonly topicListener: TopicListener;
}

const HOUSEKEEPING_MS = 100;
/** Maximum lateness of a timer. */
const TIMER_MS = 1;
/** Maximum wait for metadata after UNKNOWN_TOPIC_OR_PARTITION. */
const HOLD_MS = 2_000;

export class Producer implements EventProducer {
  readonly #options: ProducerOptions;
  readonly #metrics: ProduceMetrics;
  readonly #metadata: Metadata;
  readonly health: Health;
  readonly #brokers = new Map<number, Broker>();
  readonly #removed: RemovedPartitions;
  readonly #expiry: Expiry;
  #maxRequestBytes: number;
  readonly #brokerListener: BrokerListener = {
    isDue: (partition, nowMs) => this.#isDue(partition, nowMs),
    makeReady: (partition, nowMs) => this.#makeReady(partition, nowMs),
    sending: ({ lane }, nowMs) => this.#metrics.sending(lane.head!, nowMs),
    ready: () => this.#leadersChanged(),
    lost: (broker, error) => {
      this.health.connectionFailed(broker.address, error, broker);
      this.#metadata.refresh();
    },
    settled: (partition, outcome) => this.#settle(partition, outcome),
    finished: (ms) => {
      this.#metrics.request(ms);
      this.#pump();
    },
  };
  #wakeAtMs = Number.POSITIVE_INFINITY;
  #wakeTimer: NodeJS.Timeout | undefined;
  #housekeeping: NodeJS.Timeout | undefined;
  #lingerMs: number;

  constructor(options: ProducerOptions) {
    this.#options = options;
    this.#metrics = new ProduceMetrics(options.counters, options.faults);
    this.#lingerMs = options.lingerMs;
    this.#maxRequestBytes = options.maxRequestBytes;
    const { topics, bootstrap, createLink, faults, topicListener, deliveryListener } = options;
    this.#removed = new RemovedPartitions(options.accumulator, deliveryListener, this.#metrics);
    const health = new Health(topics, topicListener, faults, bootstrap);
    this.health = health;
    this.#expiry = new Expiry(options.eventTimeoutMs, deliveryListener, health);
    this.#metadata = new Metadata(topics, bootstrap, createLink, faults, {
      changed: (view) => this.#clusterChanged(view),
      topicMissing: (topic) => health.topicMissing(topic),
      answered: (address) => health.answered(address),
      topicFailed: (topic, why) => health.topicFailed(topic, why),
      producerIdFailed: (errorCode) => health.producerIdFailed(errorCode),
      failed: (address, error) => health.connectionFailed(address, error),
    });
    options.accumulator.onWork((partition) =>
      this.#wake(Math.max(this.#dueMs(partition), performance.now())),
    );
    options.accumulator.onTooLarge((topic) => this.#metadata.recheck(topic));
  }

  /** Starts the metadata loop; its responses trigger the rest. */
  start(): void {
    this.#housekeeping = setInterval(() => this.#housekeep(), HOUSEKEEPING_MS);
    void this.#metadata.run();
  }

  /** Serves a further topic from now on. */
  addTopic(topic: Topic): void {
    this.#options.topics.push(topic);
    this.health.add(topic);
    this.#metadata.add(topic);
  }

  /** Forgets a topic whose events all have a result, and gives up batches of unknown fate. */
  removeTopic(topic: Topic): void {
    const { topics } = this.#options;
    assert(!topic.isAwaited() && topics.includes(topic), 'senders wait for no event of the topic');
    topics.splice(topics.indexOf(topic), 1);
    this.#metadata.remove(topic);
    this.health.remove(topic);
    for (const broker of this.#brokers.values()) {
      broker.partitions = broker.partitions.filter((partition) => partition.topic !== topic);
    }
    for (const partition of topic.resize(0)) this.#removed.add(partition);
  }

  /** Sends due batches, after a topic has released them. */
  resume(): void {
    this.#pump();
  }

  /** Refreshes metadata at once, for instance after topic creation. */
  refresh(): void {
    this.#metadata.refreshNow();
  }

  /** Sends all batches without linger from now on. */
  flush(): void {
    this.#lingerMs = 0;
    this.#pump();
  }

  /** Every event has a result, which its sender received; dead letters may have none. */
  get settled(): boolean {
    let open = 0;
    this.walk(({ answered, partition }) => {
      if (!answered && !partition.topic.hasDeadLetters) open++;
    });
    return open === 0;
  }

  /** Calls `visit` with every batch whose fate is open, in lanes and queues. */
  walk(visit: (batch: RecordBatch) => void): void {
    this.#removed.walk(visit);
    for (const { partitions } of this.#options.topics) {
      for (const { lane } of partitions) lane.walk(visit);
      for (const { queue } of partitions) queue.walk(visit);
    }
  }

  countLanes(): void {
    this.#metrics.countLanes(this.#options.topics);
  }

  /** Returns whether events can be stored, and the latest failure. */
  delivery(nowMs: number): Delivery {
    return this.health.delivery(nowMs);
  }

  stop(): void {
    clearInterval(this.#housekeeping);
    clearTimeout(this.#wakeTimer);
    this.#metadata.stop();
    for (const broker of this.#brokers.values()) broker.stop();
  }

  #clusterChanged({ brokers, topics }: ClusterView): void {
    const { accumulator, budget, maxRequestBytes } = this.#options;
    this.#updateBrokers(brokers);
    const count = this.#brokers.size;
    this.#maxRequestBytes = Math.min(maxRequestBytes, requestBytesMax(budget, count));
    budget.reserve(copiesOfRequests(this.#maxRequestBytes, count));
    accumulator.setMaxRequestBytes(this.#maxRequestBytes);
    const nowMs = performance.now();
    const allPartitions = () => this.#options.topics.flatMap((topic) => topic.partitions);
    // Topics that the response lacks keep their leaders, if these brokers are still present.
    for (const partition of allPartitions()) {
      partition.setLeader(partition.leader && this.#brokers.get(partition.leader.id), nowMs);
    }
    for (const view of topics) this.#topicChanged(view, nowMs);
    const partitions = allPartitions();
    for (const broker of this.#brokers.values()) {
      broker.partitions = partitions.filter(({ leader }) => leader === broker);
    }
    this.#leadersChanged();
  }

  #topicChanged({ topic, leaders, recreated }: TopicView, nowMs: number): void {
    this.health.topicKnown(topic, !leaders.includes(-1));
    const before = topic.partitions.length;
    const removed = topic.resize(leaders.length);
    for (const partition of topic.partitions.slice(before)) this.#requestProducerId(partition);
    for (const partition of topic.partitions) {
      partition.setLeader(this.#brokers.get(leaders[partition.number]!), nowMs);
      partition.lane.proceed();
    }
    if (recreated) this.#topicRecreated(topic, before, removed, nowMs);
  }

  /** Discards the state that belongs to the deleted topic of this name. */
  #topicRecreated(
    topic: Topic,
    partitionsBefore: number,
    removed: readonly Partition[],
    nowMs: number,
  ): void {
    const { name: topicName, partitions } = topic;
    this.#options.faults.warn(
      topicName,
      { topic: topicName, partitions: partitions.length, partitionsBefore },
      'topic recreated',
    );
    topic.recreated();
    for (const partition of partitions.slice(0, partitionsBefore)) {
      if (partition.lane.renew() === 'producer_id') this.#requestProducerId(partition);
    }
    for (const partition of removed) this.#removed.add(partition);
    for (const { queue } of partitions) queue.closeOlderThan(nowMs);
    this.health.topicRecreated(topic, removed);
  }

  #leadersChanged(): void {
    this.health.leadersChanged(this.#brokers, performance.now());
    this.#pump();
  }

  #updateBrokers(addresses: ReadonlyMap<number, Address>): void {
    for (const [id, broker] of this.#brokers) {
      const { host, port } = addresses.get(id) ?? {};
      if (host === broker.address.host && port === broker.address.port) continue;
      // Moved or removed from the cluster: its requests in flight are retried.
      this.#brokers.delete(id);
      broker.stop();
    }
    for (const [id, address] of addresses) {
      if (this.#brokers.has(id)) continue;
      this.#brokers.set(id, new Broker(id, address, this.#options, this.#brokerListener));
    }
  }

  #requestProducerId(partition: Partition): void {
    this.#metadata.requestProducerId(
      ({ producerId, epoch }) => {
        partition.lane.setProducerId(producerId, epoch);
        this.health.producerIdsGiven();
        this.#leadersChanged();
      },
      () => !partition.removed,
    );
  }

  /** Sets the timer to `atMs` if that is earlier. */
  #wake(atMs: number): void {
    if (atMs >= this.#wakeAtMs) return;
    this.#wakeAtMs = atMs;
    clearTimeout(this.#wakeTimer);
    const waitMs = Math.max(0, Math.ceil(atMs - performance.now()));
    this.#wakeTimer = setTimeout(() => {
      this.#wakeAtMs = Number.POSITIVE_INFINITY;
      this.#pump();
    }, waitMs);
  }

  /** Sends due batches to idle brokers, and sets the timer for later ones. */
  #pump(): void {
    const nowMs = performance.now();
    for (const broker of this.#brokers.values()) {
      broker.sendDue(this.#maxRequestBytes, nowMs);
      if (broker.mutedUntilMs > nowMs) this.#wake(broker.mutedUntilMs);
    }
    for (const { partitions } of this.#options.topics) {
      for (const partition of partitions) this.#wakeFor(partition, nowMs);
    }
  }

  #isDue(partition: Partition, nowMs: number): boolean {
    const { lane } = partition;
    return lane.mayContinue(nowMs) && (!lane.idle || this.#dueMs(partition) <= nowMs);
  }

  /**
   * Returns the due time of a partition's first queued batch. Requests to a broker are one linger
   * apart, so an event waits up to one linger, and not at all after an idle period.
   */
  #dueMs({ queue, leader }: Partition): number {
    const dueMs = queue.dueMs(this.#lingerMs);
    if (dueMs === Number.POSITIVE_INFINITY) return dueMs;
    const sentAtMs = leader?.sentAtMs ?? 0;
    return Math.min(dueMs, sentAtMs + this.#lingerMs) - TIMER_MS;
  }

  /**
   * Prepares the head of `partition`; without one, takes a batch from its queue, due or not.
   * @returns whether the head may be sent now
   */
  #makeReady(partition: Partition, nowMs: number): boolean {
    const { lane, queue } = partition;
    if (!lane.mayContinue(nowMs)) return false;
    if (!lane.advance()) {
      const batch = queue.take();
      if (batch === undefined) return false;
      lane.start(batch);
    }
    const { compressor } = this.#options;
    return compressor === undefined || this.#compress(partition, compressor);
  }

  /** Compresses the head, unless that is done. @returns whether the head may be sent now */
  #compress(partition: Partition, compressor: Compressor): boolean {
    const { lane } = partition;
    const batch = lane.head!;
    if (!batch.mayCompress) return true;
    lane.beginCompression();
    const done = compressor.compress(batch, () => {
      if (partition.removed) return this.#removed.compressed(batch);
      lane.endCompression();
      this.#expiry.expireLane(partition, performance.now());
      this.#pump();
    });
    if (done) lane.endCompression();
    return done;
  }

  #wakeFor(partition: Partition, nowMs: number): void {
    const { lane } = partition;
    if (lane.inFlight || lane.compressing || lane.needsProducerId) return;
    if (!lane.idle) {
      if (lane.notBeforeMs > nowMs) this.#wake(lane.notBeforeMs);
      return;
    }
    const dueMs = this.#dueMs(partition);
    // A batch that is due already waits for its broker: response, connection or throttle time.
    if (dueMs > nowMs && dueMs !== Number.POSITIVE_INFINITY) this.#wake(dueMs);
  }

  #settle(partition: Partition, outcome: Outcome): void {
    const { deliveryListener, accumulator } = this.#options;
    const { lane } = partition;
    const nowMs = performance.now();
    if (this.#removed.settled(partition, outcome, nowMs)) return;
    const settlement = lane.settle(outcome, nowMs, Date.now());
    this.#metrics.settled(partition, outcome, settlement);
    if (settlement.do !== 'retry' && settlement.do !== 'split') {
      this.#metrics.ended(settlement.batch, nowMs);
    }
    if (lane.needsProducerId) this.#requestProducerId(partition);
    switch (settlement.do) {
      case 'stored':
        this.#metrics.stored(settlement.batch);
        deliveryListener.stored(settlement.batch);
        break;
      case 'retry':
        if (settlement.refresh) this.#metadata.refresh(partition.topic);
        // A retry before the refresh would fail, and a batch in flight cannot change partition.
        if (outcome.errorCode === UNKNOWN_TOPIC_OR_PARTITION) lane.hold(nowMs + HOLD_MS);
        break;
      case 'split':
        lane.halved(accumulator.split(settlement.batch));
        break;
      case 'reject':
        deliveryListener.rejected(settlement.batch, settlement.code);
        break;
      case 'giveUp':
        deliveryListener.rejected(settlement.batch, 'timeout');
        break;
    }
    // Last, since it may report at once: by now the batch is counted under its new state.
    this.health.settled(partition, outcome, settlement, nowMs);
  }

  /** Expires batches, and closes batches that are too old for new events. */
  #housekeep(): void {
    const nowMs = performance.now();
    const brokers = [...this.#brokers.values()];
    this.#metadata.leadersUnreachable(
      brokers.some((broker) => broker.partitions.length > 0 && !broker.connected),
    );
    this.health.leadersChanged(this.#brokers, nowMs);
    for (const partition of this.#options.topics.flatMap(({ partitions }) => partitions)) {
      partition.queue.closeOlderThan(nowMs);
      this.#expiry.expireLane(partition, nowMs);
      this.#expiry.expireQueue(partition, nowMs);
    }
    this.#pump();
  }
}
