/**
 * Drives lanes and brokers: decides when a lane's batch goes out and tells what became of it.
 * What an outcome means for a batch is decided in lane.ts alone.
 * One invariant rules it: a batch is in a queue or in one lane, and leaves with one outcome.
 */
import type { Delivery } from '../../ipc.ts';
import type { Counters } from '../../metrics/counters.ts';
import type { Accumulator } from '../accumulator/accumulator.ts';
import type { RecordBatch } from '../accumulator/batch.ts';
import type { Budget } from '../accumulator/budget.ts';
import type { PartitionQueue } from '../accumulator/queue.ts';
import type { Faults } from '../faults.ts';
import { Broker, type BrokerListener, copiesOfRequests, requestBytesMax } from './broker.ts';
import type { Compressor } from './compressor.ts';
import type { Outcomes } from './delivery-listener.ts';
import type { Outcome } from './error-table.ts';
import { Health } from './health.ts';
import { Lane } from './lane.ts';
import type { Address, CreateLink } from './link.ts';
import { Metadata, type TopicView } from './metadata.ts';
import { ProduceMetrics } from './produce-metrics.ts';
import type { TopicListener } from './topic-listener.ts';

export interface ProducerOptions {
  readonly topic: string;
  readonly bootstrap: readonly Address[];
  readonly createLink: CreateLink;
  readonly faults: Faults;
  readonly lingerMs: number;
  readonly eventTimeoutMs: number;
  readonly maxRequestBytes: number;
  readonly budget: Budget;
  readonly accumulator: Accumulator;
  /** None = batches go as they are. */
  readonly compressor?: Compressor | undefined;
  readonly counters: Counters;
  readonly outcomes: Outcomes;
  readonly topicListener: TopicListener;
}

const HOUSEKEEPING_MS = 100;
const TIMER_MS = 1;

export class Producer {
  readonly #options: ProducerOptions;
  readonly #metrics: ProduceMetrics;
  readonly #metadata: Metadata;
  readonly health: Health;
  readonly #brokers = new Map<number, Broker>();
  readonly #lanes: Lane[] = [];
  /** By partition. */
  #leaders: (Broker | undefined)[] = [];
  #maxRequestBytes: number;
  readonly #brokerListener: BrokerListener = {
    isDue: (lane, nowMs) => this.#isDue(lane, nowMs),
    makeReady: (lane, nowMs) => this.#makeReady(lane, nowMs),
    sending: (lane, nowMs) => this.#metrics.sending(lane.head!, nowMs),
    ready: () => this.#leadersChanged(),
    lost: (broker, error) => {
      this.health.connectionFailed(broker.address, error, broker);
      this.#metadata.refresh();
    },
    settled: (lane, outcome) => this.#settle(lane, outcome),
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
    const { topic, bootstrap, createLink, faults, topicListener } = options;
    const health = new Health(topicListener, faults, bootstrap);
    this.health = health;
    this.#metadata = new Metadata(topic, bootstrap, createLink, faults, {
      changed: (view) => this.#topicChanged(view),
      topicMissing: () => health.topicIsMissing(),
      answered: (address) => health.answered(address),
      topicFailed: (why) => health.topicFailed(why),
      producerIdFailed: (errorCode) => health.producerIdFailed(errorCode),
      failed: (address, error) => health.connectionFailed(address, error),
    });
    options.accumulator.onWork((queue) =>
      this.#wake(Math.max(this.#dueMs(queue), performance.now())),
    );
  }

  /** Begins to look for Kafka; everything else follows from its answers. */
  start(): void {
    this.#housekeeping = setInterval(() => this.#keepHouse(), HOUSEKEEPING_MS);
    void this.#metadata.run();
  }

  /** Ask again who leads, for instance since the topic was created. */
  refresh(): void {
    this.#metadata.askNow();
  }

  /** Nothing waits any longer for others to join it. */
  flush(): void {
    this.#lingerMs = 0;
    this.#pump();
  }

  /** Everybody who sent something was told what became of it. */
  get settled(): boolean {
    let open = 0;
    this.walk((batch) => {
      if (!batch.answered) open++;
    });
    return open === 0;
  }

  /** Calls `visit` with every batch whose fate is open: in lanes and waiting. */
  walk(visit: (batch: RecordBatch) => void): void {
    for (const lane of this.#lanes) lane.walk(visit);
    for (const queue of this.#options.accumulator.queues) queue.walk(visit);
  }

  /** Writes how many lanes are in which state to the counters. */
  countLanes(): void {
    this.#metrics.lanes(
      this.#lanes.map((lane) =>
        lane.state === 'empty' && !this.#queueOf(lane).empty ? 'filling' : lane.state,
      ),
    );
  }

  /** The ability to store events, and the latest failure. */
  delivery(nowMs: number): Delivery {
    const { queues } = this.#options.accumulator;
    const leaderOf = (partition: number) => this.#leaders[partition];
    return this.health.delivery(this.#lanes, queues, leaderOf, nowMs);
  }

  stop(): void {
    clearInterval(this.#housekeeping);
    clearTimeout(this.#wakeTimer);
    this.#metadata.stop();
    for (const broker of this.#brokers.values()) broker.stop();
  }

  #topicChanged({ brokers, leaders }: TopicView): void {
    const { accumulator, budget } = this.#options;
    this.health.topicKnown(!leaders.includes(-1));
    this.#takeBrokers(brokers);
    const count = this.#brokers.size;
    const { maxRequestBytes } = this.#options;
    this.#maxRequestBytes = Math.min(maxRequestBytes, requestBytesMax(budget, count));
    budget.reserve(copiesOfRequests(this.#maxRequestBytes, count));
    accumulator.setMaxRequestBytes(this.#maxRequestBytes);
    accumulator.setPartitions(leaders.length);
    while (this.#lanes.length < leaders.length) this.#addLane();
    this.#leaders = leaders.map((id) => this.#brokers.get(id));
    for (const broker of this.#brokers.values()) {
      broker.lanes = this.#lanes.filter(({ partition }) => this.#leaders[partition] === broker);
    }
    this.#leadersChanged();
  }

  #leadersChanged(): void {
    this.health.lookAtLeaders(this.#brokers, performance.now());
    this.#pump();
  }

  #takeBrokers(addresses: ReadonlyMap<number, Address>): void {
    for (const [id, broker] of this.#brokers) {
      const { host, port } = addresses.get(id) ?? {};
      if (host === broker.address.host && port === broker.address.port) continue;
      // It has moved, or the cluster has given it up: what is on its way there is sent again.
      this.#brokers.delete(id);
      broker.stop();
    }
    for (const [id, address] of addresses) {
      if (this.#brokers.has(id)) continue;
      this.#brokers.set(id, new Broker(id, address, this.#options, this.#brokerListener));
    }
  }

  #addLane(): void {
    const lane = new Lane(this.#lanes.length);
    this.#lanes.push(lane);
    this.#requestProducerId(lane);
  }

  #requestProducerId(lane: Lane): void {
    this.#metadata.producerId(({ producerId, epoch }) => {
      lane.setProducerId(producerId, epoch);
      this.health.producerIdGiven();
      this.#leadersChanged();
    });
  }

  /** Arms the one timer for the earliest thing to do. */
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

  /** Sends what is due to every broker that is idle, and arms the timer for what is due later. */
  #pump(): void {
    const nowMs = performance.now();
    for (const broker of this.#brokers.values()) {
      broker.sendDue(this.#maxRequestBytes, nowMs);
      if (broker.mutedUntilMs > nowMs) this.#wake(broker.mutedUntilMs);
    }
    for (const lane of this.#lanes) this.#wakeFor(lane, nowMs);
  }

  /** Whether `lane` has something that should go out now. */
  #isDue(lane: Lane, nowMs: number): boolean {
    if (!lane.mayContinue(nowMs)) return false;
    return !lane.idle || this.#dueMs(this.#queueOf(lane)) <= nowMs;
  }

  /**
   * When the first batch of a queue should go out: requests to a broker are a linger apart, so an
   * event waits that long at the most, and not at all when nothing was sent lately. A timer
   * comes up to a millisecond late, so the time is that much earlier.
   */
  #dueMs(queue: PartitionQueue): number {
    const dueMs = queue.dueMs(this.#lingerMs);
    if (dueMs === Number.POSITIVE_INFINITY) return dueMs;
    const sentAtMs = this.#leaders[queue.partition]?.sentAtMs ?? 0;
    return Math.min(dueMs, sentAtMs + this.#lingerMs) - TIMER_MS;
  }

  /** Whether `lane` has a head that may go out now; takes one from its queue, due or not. */
  #makeReady(lane: Lane, nowMs: number): boolean {
    if (!lane.mayContinue(nowMs)) return false;
    if (!lane.advance()) {
      const batch = this.#queueOf(lane).take();
      if (batch === undefined) return false;
      lane.start(batch);
    }
    const { compressor } = this.#options;
    return compressor === undefined || this.#compress(lane, compressor);
  }

  /** Has the head of `lane` compressed, unless it was before. @returns whether it is done */
  #compress(lane: Lane, compressor: Compressor): boolean {
    const batch = lane.head!;
    if (!batch.mayCompress) return true;
    lane.beginCompression();
    const done = compressor.compress(batch, () => {
      lane.endCompression();
      this.#expireHead(lane, performance.now());
      this.#pump();
    });
    if (done) lane.endCompression();
    return done;
  }

  #queueOf(lane: Lane): PartitionQueue {
    return this.#options.accumulator.queues[lane.partition]!;
  }

  #wakeFor(lane: Lane, nowMs: number): void {
    if (lane.inFlight || lane.compressing || lane.needsProducerId) return;
    if (!lane.idle) {
      if (lane.notBeforeMs > nowMs) this.#wake(lane.notBeforeMs);
      return;
    }
    const dueMs = this.#dueMs(this.#queueOf(lane));
    // What is due already waits for its broker: its answer, its connection, the end of a throttle.
    if (dueMs > nowMs && dueMs !== Number.POSITIVE_INFINITY) this.#wake(dueMs);
  }

  #settle(lane: Lane, outcome: Outcome): void {
    const { outcomes, accumulator } = this.#options;
    const nowMs = performance.now();
    const verdict = lane.settle(outcome, nowMs, Date.now());
    this.#metrics.verdict(lane, outcome, verdict);
    if (verdict.do !== 'retry' && verdict.do !== 'split') {
      this.#metrics.ended(verdict.batch, nowMs);
    }
    if (lane.needsProducerId) this.#requestProducerId(lane);
    switch (verdict.do) {
      case 'stored':
        this.#metrics.stored(verdict.batch);
        outcomes.stored(verdict.batch);
        break;
      case 'retry':
        if (verdict.refresh) this.#metadata.refresh();
        break;
      case 'split':
        lane.halved(accumulator.split(verdict.batch));
        break;
      case 'refuse':
        outcomes.refused(verdict.batch, verdict.code);
        break;
      case 'giveUp':
        outcomes.refused(verdict.batch, 'timeout');
        break;
    }
    // It reports at once: by now the batch is counted where it has ended.
    this.health.settled(lane, outcome, verdict, nowMs);
  }

  /** Deadlines, and batches that are too old for new events to join. */
  #keepHouse(): void {
    const nowMs = performance.now();
    const brokers = [...this.#brokers.values()];
    this.#metadata.doubt(brokers.some(({ lanes, connected }) => lanes.length > 0 && !connected));
    this.health.lookAtLeaders(this.#brokers, nowMs);
    const { eventTimeoutMs } = this.#options;
    for (const lane of this.#lanes) {
      const queue = this.#queueOf(lane);
      queue.closeOlderThan(nowMs);
      this.#expireHead(lane, nowMs);
      for (;;) {
        const batch = queue.takeExpired(nowMs, eventTimeoutMs);
        if (batch === undefined) break;
        this.#expire(batch, lane.partition);
      }
    }
    this.#pump();
  }

  #expireHead(lane: Lane, nowMs: number): void {
    const { eventTimeoutMs, outcomes } = this.#options;
    lane.walk((batch) => {
      if (nowMs - batch.openedAtMs < eventTimeoutMs || batch.answered) return;
      if (batch === lane.head && lane.attempts === 0) {
        // What is being compressed has to stay until that is over: then it is looked at again.
        if (!lane.compressing) this.#expire(lane.dropUnsent(), lane.partition);
      } else outcomes.overdue(batch);
    });
  }

  /** Refuses a batch that was never sent. */
  #expire(batch: RecordBatch, partition: number): void {
    this.health.expired(partition, batch.openedAtMs);
    this.#options.outcomes.refused(batch, 'kafka_unavailable');
  }
}
