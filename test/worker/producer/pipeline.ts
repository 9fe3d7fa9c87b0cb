/** The real producer over real connections, links and sockets, with a fake cluster. */
import assert from 'node:assert/strict';
import { pino } from 'pino';
import type { EventCode } from '../../../src/common/errors.ts';
import { KIB, MIB } from '../../../src/config/limits.ts';
import type { Codec } from '../../../src/kafka/compression/codecs.ts';
import { Counters, cells } from '../../../src/metrics/counters.ts';
import { PRODUCE_ERROR_CLASSES, type ProduceErrorClass } from '../../../src/metrics/labels.ts';
import type { RecordBatch } from '../../../src/worker/accumulator/batch.ts';
import { murmur2, partitionOfHash } from '../../../src/worker/accumulator/murmur2.ts';
import { Topic } from '../../../src/worker/accumulator/topic.ts';
import { type Address, Link } from '../../../src/worker/producer/link.ts';
import type { Producer } from '../../../src/worker/producer/producer.ts';
import { type EventBuffer, wireBuffer, wireProducer } from '../../../src/worker/wire.ts';
import { appendEvent, valuesOf } from '../../../testing/batches.ts';
import { PATIENCE_MS, until } from '../../../testing/wait.ts';
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
  /** Names of more topics, which need not exist. */
  readonly others?: readonly string[];
  /** False = does not wait until the topic is known. */
  readonly ready?: boolean;
}

const started: Pipeline[] = [];

/** Stops pipelines that failed tests have left; for the end of a file. */
export async function endPipelines(): Promise<void> {
  for (const pipeline of started) await pipeline.end();
}

export class Pipeline {
  readonly cluster: FakeCluster;
  readonly producer: Producer;
  /** By event value. */
  readonly fates = new Map<string, Fate>();
  /** Values whose senders got `timeout` while the batch continues. */
  readonly overdue: string[] = [];
  /** Reports of the producer about Kafka, in order. */
  readonly facts: string[] = [];
  readonly #counters = new Counters();
  readonly #buffer = wireBuffer(SETTINGS);
  readonly topic = this.#buffer.topics[0]!;
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
        authenticationFailed: fact('authentication failed'),
      },
    };
    const reporting = { counters: this.#counters, log: logger, faults: recordFaults().faults };
    const buffer: EventBuffer = { ...this.#buffer, topics: [this.topic, ...this.others] };
    this.producer = wireProducer(settings, buffer, reporting, connection, {
      stored: (batch) => this.#settle(batch, 'stored'),
      rejected: (batch, code) => this.#settle(batch, code),
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

  /** Sends events with these values, which share a batch. */
  send(partition: number, ...values: string[]): void {
    const key = this.#keyOf(partition);
    for (const value of values) this.append(this.topic, key, value);
  }

  /** Sends one event. */
  append(topic: Topic, key: string | undefined, value: string): void {
    assert.equal(this.#append(topic, key, value), undefined, 'the event is accepted');
  }

  /** Sends an event that may be rejected. */
  offer(value: string): void {
    this.#append(this.topic, undefined, value);
  }

  #append(topic: Topic, key: string | undefined, value: string): EventCode | undefined {
    const bytes = Buffer.from(value);
    return appendEvent(this.#buffer.accumulator, topic, key, bytes, { event: this.#sent++ });
  }

  /** Waits until each event has its result. */
  async settled(deadlineMs = PATIENCE_MS): Promise<void> {
    const what = () => `fates; there are ${this.fates.size} of ${this.#sent}`;
    await until(() => this.fates.size === this.#sent, { deadlineMs, everyMs: 2, what });
  }

  /** Sends, and waits for the results of all. */
  async exchange(partition: number, ...values: string[]): Promise<void> {
    this.send(partition, ...values);
    await this.settled();
  }

  /** Nonzero counts of failed attempts, by class. */
  get errors(): Partial<Record<ProduceErrorClass, number>> {
    const counts = PRODUCE_ERROR_CLASSES.map((name) => [name, this.#count(ERRORS[name])] as const);
    return Object.fromEntries(counts.filter(([, count]) => count > 0));
  }

  get resets(): { epoch: number; producerId: number } {
    return { epoch: this.#count(RESETS.epoch), producerId: this.#count(RESETS.producer_id) };
  }

  /** Stops it. After settlement, no memory may be in use, and no request was unknown. */
  async close(): Promise<void> {
    if (this.fates.size === this.#sent) {
      await until(() => this.#buffer.budget.usedBytes === 0, {
        what: 'release of the memory of settled events',
      });
    }
    await this.end();
    assert.deepEqual(this.cluster.strange, []);
  }

  /** Stops it in any state, the cluster included. */
  async end(): Promise<void> {
    this.producer.stop();
    await this.cluster.close();
  }

  #count(cell: number): number {
    return this.#counters.values[cell] ?? 0;
  }

  #settle(batch: RecordBatch, fate: Fate): void {
    for (const value of valuesOf(batch)) {
      assert(!this.fates.has(value), `${value} has a second result`);
      this.fates.set(value, fate);
    }
    this.#buffer.accumulator.release(batch);
  }

  /** Returns a key that maps to this partition. */
  #keyOf(partition: number): string {
    const { length } = this.topic.partitions;
    for (let number = 0; this.#keys[partition] === undefined; number++) {
      const key = Buffer.from(`key ${number}`);
      this.#keys[partitionOfHash(murmur2(key, 0, key.length), length)] ??= key.toString();
    }
    return this.#keys[partition]!;
  }
}
