/**
 * Reads a topic from given positions. kafkajs reads only as a member of a group, so the group is
 * unique, commits nothing, and its positions are set again each time it is joined.
 */
import { randomUUID } from 'node:crypto';
import type { Consumer, Kafka, KafkaMessage } from 'kafkajs';
import { registerCodecs } from './decompression.ts';

/** Next offset to read, by partition. */
export type Positions = Map<number, bigint>;

/** Keeps the membership of the group during a long batch. */
export type Heartbeat = () => Promise<void>;

export interface ReaderOptions {
  readonly kafka: Kafka;
  readonly topic: string;
  /** Start positions; advanced as batches are processed. A missing partition starts at 0. */
  readonly positions: Positions;
  /** Partitions to read; undefined = all. */
  readonly partitions?: ReadonlySet<number> | undefined;
  /** Receives records of one partition in order; the next batch waits for the promise. */
  readonly onBatch: (
    partition: number,
    records: KafkaMessage[],
    heartbeat: Heartbeat,
  ) => Promise<void> | void;
  /**
   * Called when the position of a partition has advanced past a processed batch, including records
   * that no reader receives: those of aborted transactions, and control records.
   */
  readonly onProgress?: (partition: number) => void;
}

registerCodecs();

const FETCH_WAIT_MS = 250;
const METADATA_AGE_MS = 10_000;
/** Responses without records after which a broker has none: the first may precede a batch. */
const IDLE_FETCHES = 3;

export class TopicReader {
  readonly #options: ReaderOptions;
  readonly #consumer: Consumer;
  readonly #crashed: Promise<Error>;
  /** Responses of each broker since the last batch. */
  readonly #fetches = new Map<string, number>();
  readonly #groupId = `forebay-listen-${randomUUID()}`;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#consumer = options.kafka.consumer({
      groupId: this.#groupId,
      allowAutoTopicCreation: false,
      metadataMaxAge: METADATA_AGE_MS,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      maxBytesPerPartition: 4 * 1024 * 1024,
      retry: { retries: 3, restartOnFailure: async (error) => isGroupUnsettled(error) },
    });
    const { promise, resolve } = withResolver<Error>();
    this.#crashed = promise;
    this.#consumer.on(this.#consumer.events.CRASH, ({ payload }) => {
      if (!payload.restart) resolve(payload.error);
    });
    // Runs before the first fetch of each membership: kafkajs forgets positions when it joins.
    this.#consumer.on(this.#consumer.events.GROUP_JOIN, ({ payload }) => {
      this.#fetches.clear();
      this.#seek(payload.memberAssignment[options.topic] ?? []);
    });
    const { FETCH_START, FETCH, END_BATCH_PROCESS } = this.#consumer.events;
    this.#consumer.on(FETCH_START, ({ payload: { nodeId } }) => this.#countFetches(nodeId, 0));
    this.#consumer.on(FETCH, ({ payload: { nodeId } }) => this.#countFetches(nodeId, 1));
    this.#consumer.on(END_BATCH_PROCESS, ({ payload }) => {
      this.#advance(payload.partition, BigInt(payload.lastOffset) + 1n);
    });
  }

  /** Reads; resolves with the reason when reading has failed. */
  async run(): Promise<Error> {
    try {
      await this.#start();
      return await this.#crashed;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  async #start(): Promise<void> {
    const { topic, positions, onBatch } = this.#options;
    await this.#consumer.connect();
    await this.#consumer.subscribe({ topic, fromBeginning: true });
    await this.#consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch: { partition, messages }, heartbeat }) => {
        const next = positions.get(partition) ?? 0n;
        const fresh = messages.filter(({ offset }) => BigInt(offset) >= next);
        const last = fresh.at(-1);
        if (last === undefined) return;
        positions.set(partition, BigInt(last.offset) + 1n);
        await onBatch(partition, fresh, heartbeat);
      },
    });
  }

  /** Stops reading a partition. */
  pause(partition: number): void {
    this.#consumer.pause([{ topic: this.#options.topic, partitions: [partition] }]);
  }

  /** Leaves the group and closes the connections; waits for the current batch. */
  async stop(): Promise<void> {
    await this.#consumer.disconnect();
  }

  /**
   * Deletes the group after {@link stop}, where the login may do that. Otherwise Kafka does, which
   * takes minutes.
   */
  async deleteGroup(): Promise<void> {
    const admin = this.#options.kafka.admin({ retry: { retries: 0 } });
    try {
      await admin.connect();
      await admin.deleteGroups([this.#groupId]);
    } finally {
      await admin.disconnect();
    }
  }

  /** Whether every broker has responded several times since the last batch, without records. */
  get isIdle(): boolean {
    const counts = [...this.#fetches.values()];
    return counts.length > 0 && counts.every((count) => count >= IDLE_FETCHES);
  }

  #countFetches(nodeId: string | number, added: number): void {
    const broker = String(nodeId);
    this.#fetches.set(broker, (this.#fetches.get(broker) ?? 0) + added);
  }

  #advance(partition: number, next: bigint): void {
    const { positions, onProgress } = this.#options;
    for (const broker of this.#fetches.keys()) this.#fetches.set(broker, 0);
    if (next > (positions.get(partition) ?? 0n)) positions.set(partition, next);
    onProgress?.(partition);
  }

  #seek(partitions: readonly number[]): void {
    const { topic, positions, partitions: wanted } = this.#options;
    for (const partition of partitions) {
      if (wanted?.has(partition) === false) {
        this.#consumer.pause([{ topic, partitions: [partition] }]);
        continue;
      }
      const offset = String(positions.get(partition) ?? 0n);
      this.#consumer.seek({ topic, partition, offset });
    }
  }
}

/** Transient errors while Kafka starts or moves the group's coordinator: kafkajs joins again. */
const GROUP_UNSETTLED = new Set([
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
]);

function isGroupUnsettled(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (GROUP_UNSETTLED.has((at as Error & { type?: string }).type ?? '')) return true;
  }
  return false;
}

function withResolver<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
