/** The real producer over real senders, links and sockets, with a fake cluster behind them. */
import assert from 'node:assert/strict';
import { pino } from 'pino';
import type { EventCode } from '../../../src/common/errors.ts';
import { KIB, MIB } from '../../../src/config/limits.ts';
import type { Codec } from '../../../src/kafka/compression/codecs.ts';
import { PRODUCE_ERROR_CLASSES, type ProduceErrorClass } from '../../../src/metrics/catalogue.ts';
import { Counters, cells } from '../../../src/metrics/counters.ts';
import type { RecordBatch } from '../../../src/worker/accumulator/batch.ts';
import { partitionOfKey } from '../../../src/worker/accumulator/murmur2.ts';
import { Topic } from '../../../src/worker/accumulator/topic.ts';
import { type Address, Link } from '../../../src/worker/producer/link.ts';
import type { Producer } from '../../../src/worker/producer/producer.ts';
import { type EventBuffer, wireBuffer, wireProducer } from '../../../src/worker/wire.ts';
import { appendEvent, valuesOf } from '../../../testing/batches.ts';
import { until } from '../../../testing/wait.ts';
import type { FakeCluster } from '../../fakes/broker/cluster.ts';
import { recordFaults } from '../faults.ts';

export const TOPIC = 'events';

const SETTINGS = {
  kafkaTopic: TOPIC,
  bufferBytes: 64 * MIB,
  batchBytes: 64 * KIB,
  maxFrameBytes: 64 * KIB,
  lingerMs: 5,
  eventTimeoutMs: 60_000,
  maxRequestBytes: MIB,
};

const ERRORS = cells('forebay_produce_errors_total', PRODUCE_ERROR_CLASSES);
const RESETS = cells('forebay_producer_resets_total', ['epoch', 'producer_id']);

export type Fate = 'stored' | EventCode;

export interface PipelineOptions {
  readonly eventTimeoutMs?: number;
  /** Default: batches are not compressed. */
  readonly codec?: Codec;
  readonly login?: { readonly username: string; readonly password: string };
  /** Names of more topics; none of them has to be there. */
  readonly others?: readonly string[];
  /** false: does not wait until the topic is known. */
  readonly ready?: boolean;
}

const started: Pipeline[] = [];

/** Ends what a test that failed has left: for the end of a file. */
export async function endPipelines(): Promise<void> {
  for (const pipeline of started) await pipeline.end();
}

export class Pipeline {
  readonly cluster: FakeCluster;
  readonly producer: Producer;
  /** By value of the event. */
  readonly fates = new Map<string, Fate>();
  /** Values whose senders were told `timeout` while the batch goes on. */
  readonly overdue: string[] = [];
  /** What the producer says of Kafka, in order. */
  readonly facts: string[] = [];
  readonly #counters = new Counters();
  readonly #buffer = wireBuffer(SETTINGS);
  readonly topic = this.#buffer.topics[0];
  readonly others: readonly Topic[];
  readonly #keys: string[] = [];
  #sent = 0;

  private constructor(cluster: FakeCluster, options: PipelineOptions) {
    const { eventTimeoutMs, login, codec, others = [] } = options;
    this.cluster = cluster;
    this.others = others.map((name) => new Topic(name));
    const logger = pino({ level: 'silent' });
    const sasl = login && { mechanism: 'plain', ...login };
    const link = { clientId: 'forebay-test', ssl: undefined, sasl, logger };
    const fact = (text: string) => () => void this.facts.push(text);
    const settings = { ...SETTINGS, eventTimeoutMs: eventTimeoutMs ?? SETTINGS.eventTimeoutMs };
    const connection = {
      bootstrap: cluster.brokers.map(({ address }) => address),
      createLink: (address: Address) => new Link(address, link),
      codec,
      topicListener: {
        reached: fact('known'),
        topicMissing: fact('missing'),
        topicRecreated: fact('recreated'),
        unreachable: fact('unreachable'),
        refusedByPolicy: (refused: boolean) => fact(refused ? 'refused' : 'allowed')(),
        authenticationFailed: fact('login refused'),
      },
    };
    const reporting = { counters: this.#counters, log: logger, faults: recordFaults().faults };
    const buffer: EventBuffer = { ...this.#buffer, topics: [this.topic, ...this.others] };
    this.producer = wireProducer(settings, buffer, reporting, connection, {
      stored: (batch) => this.#settle(batch, 'stored'),
      refused: (batch, code) => this.#settle(batch, code),
      overdue: (batch) => {
        batch.answered = true;
        this.overdue.push(...valuesOf(batch));
      },
    });
  }

  /** Starts a producer on the cluster, and waits until the topic is known. */
  static async start(cluster: FakeCluster, options: PipelineOptions = {}): Promise<Pipeline> {
    const pipeline = new Pipeline(cluster, options);
    started.push(pipeline);
    pipeline.producer.start();
    if (options.ready !== false) await pipeline.known();
    return pipeline;
  }

  async known(): Promise<void> {
    await until(() => this.facts.includes('known'), { everyMs: 2, what: 'the topic' });
  }

  /** Events with these values, which share a batch. */
  send(partition: number, ...values: string[]): void {
    const key = this.#keyOf(partition);
    for (const value of values) this.append(this.topic, key, value);
  }

  /** One event. */
  append(topic: Topic, key: string | undefined, value: string): void {
    assert.equal(this.#append(topic, key, value), undefined, 'the event is taken');
  }

  /** An event that may be refused. */
  offer(value: string): void {
    this.#append(this.topic, undefined, value);
  }

  #append(topic: Topic, key: string | undefined, value: string): EventCode | undefined {
    const bytes = Buffer.from(value);
    return appendEvent(this.#buffer.accumulator, topic, key, bytes, { event: this.#sent++ });
  }

  /** Waits until each event has its fate. */
  async settled(deadlineMs = 10_000): Promise<void> {
    const what = () => `fates; there are ${this.fates.size} of ${this.#sent}`;
    await until(() => this.fates.size === this.#sent, { deadlineMs, everyMs: 2, what });
  }

  /** Sends, and waits for the fates of all. */
  async exchange(partition: number, ...values: string[]): Promise<void> {
    this.send(partition, ...values);
    await this.settled();
  }

  /** Attempts that failed, by class: those that are not 0. */
  get errors(): Partial<Record<ProduceErrorClass, number>> {
    const counts = PRODUCE_ERROR_CLASSES.map((name) => [name, this.#count(ERRORS[name])] as const);
    return Object.fromEntries(counts.filter(([, count]) => count > 0));
  }

  get resets(): { epoch: number; producerId: number } {
    return { epoch: this.#count(RESETS.epoch), producerId: this.#count(RESETS.producer_id) };
  }

  /** Ends it. Everything was settled: no memory may be held, and no request was a strange one. */
  async close(): Promise<void> {
    if (this.fates.size === this.#sent) {
      await until(() => this.#buffer.budget.usedBytes === 0, {
        what: 'the memory of what was settled',
      });
    }
    await this.end();
    assert.deepEqual(this.cluster.strange, []);
  }

  /** Ends it as it is, the cluster included. */
  async end(): Promise<void> {
    this.producer.stop();
    await this.cluster.close();
  }

  #count(cell: number): number {
    return this.#counters.values[cell] ?? 0;
  }

  #settle(batch: RecordBatch, fate: Fate): void {
    for (const value of valuesOf(batch)) {
      assert(!this.fates.has(value), `${value} has a second fate`);
      this.fates.set(value, fate);
    }
    this.#buffer.accumulator.release(batch);
  }

  /** A key that leads to this partition. */
  #keyOf(partition: number): string {
    const { length } = this.topic.partitions;
    for (let number = 0; this.#keys[partition] === undefined; number++) {
      const key = Buffer.from(`key ${number}`);
      this.#keys[partitionOfKey(key, 0, key.length, length)] ??= key.toString();
    }
    return this.#keys[partition]!;
  }
}
