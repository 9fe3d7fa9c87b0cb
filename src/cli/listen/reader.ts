/**
 * Reads a topic from given positions. kafkajs reads only as a member of a group, so the group is
 * unique, commits nothing, and its positions are set again each time it is joined.
 */
import { randomUUID } from 'node:crypto';
import type { Consumer, Kafka, KafkaMessage } from 'kafkajs';
import { registerCodecs } from './decompression.ts';

/** Next offset to read, by partition. */
export type Positions = Map<number, bigint>;

export interface ReaderOptions {
  readonly kafka: Kafka;
  readonly topic: string;
  /** Start positions; advanced as batches are processed. A missing partition starts at 0. */
  readonly positions: Positions;
  /** Partitions to read; undefined = all. */
  readonly partitions?: ReadonlySet<number> | undefined;
  /** Receives records of one partition in order; the next batch waits for the promise. */
  readonly onBatch: (partition: number, records: KafkaMessage[]) => Promise<void> | void;
}

registerCodecs();

const FETCH_WAIT_MS = 250;
const METADATA_AGE_MS = 10_000;

export class TopicReader {
  readonly #options: ReaderOptions;
  readonly #consumer: Consumer;
  readonly #crashed: Promise<Error>;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#consumer = options.kafka.consumer({
      groupId: `forebay-listen-${randomUUID()}`,
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
    this.#consumer.on(this.#consumer.events.GROUP_JOIN, ({ payload }) =>
      this.#seek(payload.memberAssignment[options.topic] ?? []),
    );
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
      eachBatch: async ({ batch: { partition, messages } }) => {
        const next = positions.get(partition) ?? 0n;
        const fresh = messages.filter(({ offset }) => BigInt(offset) >= next);
        const last = fresh.at(-1);
        if (last === undefined) return;
        positions.set(partition, BigInt(last.offset) + 1n);
        await onBatch(partition, fresh);
      },
    });
  }

  /** Leaves the group and closes the connections; waits for the current batch. */
  async stop(): Promise<void> {
    await this.#consumer.disconnect();
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
