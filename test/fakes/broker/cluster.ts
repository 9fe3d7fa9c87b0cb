/**
 * A Kafka cluster in this process: several brokers, each on a port of its own, and a log in memory
 * per partition. It injects faults on command: see injections.ts. README.md lists its limits.
 */
import { randomBytes } from 'node:crypto';
import type { ApiName } from './api.ts';
import { FakeBroker } from './broker.ts';
import { type Fault, type Injection, Injections, type Target } from './injections.ts';
import { Partition } from './partition.ts';
import type { Header } from './record-batch.ts';

export interface ClusterOptions {
  readonly brokers?: number;
  /** Number of partitions by topic; partition p is led by broker 1 + p mod brokers. */
  readonly topics: Readonly<Record<string, number>>;
  /** Requires SASL PLAIN. */
  readonly sasl?: Login;
  readonly maxMessageBytes?: number;
  /** false: no version of Metadata with topic ids. Default: true. */
  readonly topicIds?: boolean;
}

export interface Login {
  readonly username: string;
  readonly password: string;
  /** `connections.max.reauth.ms`; default: sessions do not expire. */
  readonly lifetimeMs?: number;
}

/** One batch of a received produce request. */
export interface Attempt {
  readonly topic: string;
  readonly partition: number;
  readonly broker: number;
  readonly atMs: number;
  readonly bytes: Buffer;
  readonly header: Header;
}

/** A received request, valid or not. */
export interface Seen {
  readonly broker: number;
  readonly request: ApiName;
  readonly version: number;
}

const MAX_MESSAGE_BYTES = 1_048_588;

export class FakeCluster {
  readonly brokers: readonly FakeBroker[];
  readonly topics = new Map<string, Partition[]>();
  /** Kafka's error code for all requests about a topic. */
  readonly topicErrors = new Map<string, number>();
  readonly topicIds: boolean;
  readonly #ids = new Map<string, Buffer>();
  readonly sasl: Login | undefined;
  readonly maxMessageBytes: number;
  readonly injections = new Injections();
  readonly attempts: Attempt[] = [];
  readonly seen: Seen[] = [];
  /** Received data that no correct client of this fake sends. */
  readonly strange: string[] = [];
  #producerIds = 4_000n;

  private constructor(options: ClusterOptions) {
    const { brokers = 1, topics, sasl, maxMessageBytes = MAX_MESSAGE_BYTES } = options;
    this.topicIds = options.topicIds ?? true;
    this.brokers = Array.from({ length: brokers }, (_, index) => new FakeBroker(index + 1, this));
    this.sasl = sasl;
    this.maxMessageBytes = maxMessageBytes;
    for (const [topic, length] of Object.entries(topics)) this.createTopic(topic, length);
  }

  /** Creates a topic, replacing one of the same name. */
  createTopic(topic: string, partitions: number): void {
    const { length } = this.brokers;
    const partition = (index: number) =>
      new Partition(index, 1 + (index % length), this.maxMessageBytes);
    this.topics.set(
      topic,
      Array.from({ length: partitions }, (_, index) => partition(index)),
    );
    this.#ids.set(topic, randomBytes(16));
  }

  deleteTopic(topic: string): void {
    this.topics.delete(topic);
  }

  /** Returns the 16 bytes of a topic id; zeros for no topic. */
  topicId(topic: string): Buffer {
    return (this.topics.has(topic) && this.#ids.get(topic)) || Buffer.alloc(16);
  }

  /** Starts all brokers. */
  static async start(options: ClusterOptions): Promise<FakeCluster> {
    const cluster = new FakeCluster(options);
    for (const broker of cluster.brokers) await broker.start();
    return cluster;
  }

  /** `host:port` of each broker. */
  get addresses(): string[] {
    return this.brokers.map(({ address: { host, port } }) => `${host}:${port}`);
  }

  broker(id: number): FakeBroker {
    const found = this.brokers[id - 1];
    if (found === undefined) throw new Error(`there is no broker ${id}`);
    return found;
  }

  /** @throws Error when there is none */
  partition(topic: string, index: number): Partition {
    const found = this.topics.get(topic)?.[index];
    if (found === undefined) throw new Error(`there is no ${topic}/${index}`);
    return found;
  }

  /** Injects this fault into the next requests of this kind. */
  inject(target: Target, fault: Fault): Injection {
    return this.injections.add(target, fault);
  }

  /** Returns the number of received requests of a kind. */
  count(request: ApiName): number {
    return this.seen.filter((each) => each.request === request).length;
  }

  note(broker: number, request: ApiName, version: number): void {
    this.seen.push({ broker, request, version });
  }

  nextProducerId(): bigint {
    return this.#producerIds++;
  }

  async close(): Promise<void> {
    await Promise.all(this.brokers.map((broker) => broker.stop()));
  }
}
