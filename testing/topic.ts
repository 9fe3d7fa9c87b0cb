/** Reads a topic back from given offsets to its current end, completely or with an error. */
import { setTimeout as sleep } from 'node:timers/promises';
import '../src/kafka/request-queue.ts';
import kafkajs, { type ITopicConfig, Kafka, type KafkaMessage, logLevel } from 'kafkajs';
import { fetchBounds } from '../src/cli/listen/positions.ts';
import { type Positions, TopicReader } from '../src/cli/listen/reader.ts';
import { bootstrapOptions } from '../src/kafka/broker-address.ts';
import { type RecordHeaders, recordHeaders } from '../src/kafka/record-headers.ts';
import { PATIENCE_MS, until } from './wait.ts';

export interface TopicRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Buffer | null;
  /** Undefined = none. */
  readonly headers?: RecordHeaders;
  readonly value: Buffer | null;
}

/** Next offset by partition. */
export type Offsets = ReadonlyMap<number, bigint>;

export interface TopicPlace {
  readonly brokers: readonly string[];
  readonly topic: string;
}

/** kafkajs client for tests, without logs and with retries that outlast an election. */
export function testKafka(brokers: readonly string[]): Kafka {
  const retry = { retries: 8, initialRetryTime: 100, maxRetryTime: 2_000 };
  return new Kafka({
    clientId: 'forebay-test',
    ...bootstrapOptions(brokers),
    logLevel: logLevel.NOTHING,
    retry,
  });
}

const PASSING = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'NOT_LEADER_FOR_PARTITION',
  'LEADER_NOT_AVAILABLE',
]);

/**
 * Returns the result of `ask`, retried while a topic that is new, or lost a broker, has no leader.
 */
async function untilLed<T>(ask: () => Promise<T>): Promise<T> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const { type } = error as { type?: string };
      if (type === undefined || !PASSING.has(type) || performance.now() > deadlineMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** Returns the end offset of each partition; empty if there is no such topic. */
export async function noteOffsets({ brokers, topic }: TopicPlace): Promise<Offsets> {
  const admin = testKafka(brokers).admin();
  try {
    await admin.connect();
    if (!(await admin.listTopics()).includes(topic)) return new Map();
    const offsets = await untilLed(() => admin.fetchTopicOffsets(topic));
    return new Map(offsets.map(({ partition, high }) => [partition, BigInt(high)]));
  } finally {
    await admin.disconnect();
  }
}

/** Deletes a topic that a test or bench created on a shared Kafka. */
export async function deleteTopic({ brokers, topic }: TopicPlace): Promise<void> {
  const admin = testKafka(brokers).admin();
  try {
    await admin.connect();
    await admin.deleteTopics({ topics: [topic] });
  } finally {
    await admin.disconnect();
  }
}

/**
 * Waits until every partition starts again, or is gone: its new leader has the new topic. It
 * accepts nothing for the old one then, since brokers apply deletion and creation in order.
 * @param ends end offsets of the old topic's partitions
 */
export async function untilMadeAgain(place: TopicPlace, ends: Offsets): Promise<void> {
  await until(
    async () => {
      const now = await noteOffsets(place);
      const isAnew = ([partition, end]: [number, bigint]) => (now.get(partition) ?? -1n) < end;
      return now.size > 0 && [...ends].every(isAnew);
    },
    { everyMs: 20, what: 'a new topic' },
  );
}

/**
 * Creates the topic unless it exists, with any number of partitions, and waits until each of them
 * has a leader. The option `waitForLeaders` of kafkajs fails while the queried broker has no
 * metadata of the topic yet.
 */
export async function createTopic(
  { brokers, topic }: TopicPlace,
  { served = true, ...config }: NewTopic,
): Promise<void> {
  const admin = testKafka(brokers).admin();
  try {
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, ...config }], waitForLeaders: false });
    await until(
      async () => {
        const metadata = await untilLed(() => admin.fetchTopicMetadata({ topics: [topic] }));
        const partitions = metadata.topics[0]?.partitions ?? [];
        return partitions.length > 0 && partitions.every(({ leader }) => leader >= 0);
      },
      { everyMs: 50, what: `leaders of ${topic}` },
    );
    // A leader is announced shortly before it serves the partition.
    if (served) await untilLed(() => admin.fetchTopicOffsets(topic));
  } finally {
    await admin.disconnect();
  }
}

/**
 * Deletes the topic and creates it with this many partitions, before a gateway does.
 * @param deleting called before each deletion: the race may be lost
 */
export async function recreateTopic(
  { brokers, topic }: TopicPlace,
  numPartitions: number,
  deleting: () => void = () => {},
): Promise<void> {
  const admin = testKafka(brokers).admin();
  try {
    await admin.connect();
    await until(
      async () => {
        deleting();
        await admin.deleteTopics({ topics: [topic] });
        return admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: false });
      },
      { everyMs: 100, what: `${topic} with ${numPartitions} partitions` },
    );
  } finally {
    await admin.disconnect();
  }
}

/** Options of kafkajs for a topic, without the name. */
export type NewTopic = Omit<ITopicConfig, 'topic'> & {
  readonly numPartitions: number;
  /** False = its leaders are unreachable, and are not waited for. */
  readonly served?: boolean;
};

/** Increases the number of partitions. */
export async function addPartitions({ brokers, topic }: TopicPlace, count: number): Promise<void> {
  const admin = testKafka(brokers).admin();
  try {
    await admin.connect();
    await admin.createPartitions({ topicPartitions: [{ topic, count }] });
  } finally {
    await admin.disconnect();
  }
}

/** Sets a property of the topic, and waits until the broker applies it. */
export async function setTopicConfig(
  { brokers, topic }: TopicPlace,
  name: string,
  value: string,
): Promise<void> {
  const admin = testKafka(brokers).admin();
  const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic };
  try {
    await admin.connect();
    const configEntries = [{ name, value }];
    await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries }] });
    await until(
      async () => {
        const { resources } = await admin.describeConfigs({
          includeSynonyms: false,
          resources: [{ ...resource, configNames: [name] }],
        });
        return resources[0]?.configEntries[0]?.configValue === value;
      },
      { everyMs: 50, what: `${name}=${value}` },
    );
  } finally {
    await admin.disconnect();
  }
}

const STALLED_MS = 30_000;
const RESTART_MS = 250;

/**
 * Returns all records from `fromOffsets` (default per partition: 0) to the current end; records of
 * a partition in order.
 * @throws Error if an offset is missing, or nothing arrived for 30 s
 */
export async function readTopic(part: TopicPart): Promise<TopicRecord[]> {
  const records: TopicRecord[] = [];
  await eachRecord(part, (record) => records.push(record));
  return records;
}

/** Topic from these offsets on (default per partition: 0). */
export interface TopicPart extends TopicPlace {
  readonly fromOffsets?: Offsets;
}

/** Reads like `readTopic`, for more records than fit into memory. */
export async function eachRecord(
  { brokers, topic, fromOffsets = new Map() }: TopicPart,
  visit: (record: TopicRecord) => void,
): Promise<void> {
  const kafka = testKafka(brokers);
  const { low, high } = await untilLed(() => fetchBounds(kafka, topic, 8));
  const positions: Positions = new Map([...low.keys()].map((p) => [p, fromOffsets.get(p) ?? 0n]));
  const open = new Set<number>();
  for (const [partition, end] of high) {
    const from = positions.get(partition) ?? 0n;
    const first = low.get(partition) ?? 0n;
    if (from < first) throw new Error(`partition ${partition} begins at ${first}, not ${from}`);
    if (from < end) open.add(partition);
  }
  if (open.size === 0) return;
  const collection = new Collection(visit, positions, high, open);
  const complete = collection.complete.then(() => undefined);
  const onBatch = (partition: number, messages: KafkaMessage[]) =>
    collection.take(partition, messages);
  try {
    // A broker may fail during the read: it resumes until nothing arrives.
    for (;;) {
      const from = new Map(collection.next);
      const reader = new TopicReader({ kafka, topic, positions: from, onBatch });
      const failure = await Promise.race([reader.run(), complete]).finally(() => reader.stop());
      if (failure === undefined) return;
      await Promise.race([sleep(RESTART_MS), complete]);
    }
  } finally {
    collection.stop();
  }
}

/** Collects records until every partition has reached its end. */
class Collection {
  readonly complete: Promise<void>;
  #resolve!: () => void;
  #reject!: (error: Error) => void;
  readonly #stalled: NodeJS.Timeout;
  readonly #visit: (record: TopicRecord) => void;
  /** Next offset of each partition. */
  readonly next: Positions;
  readonly #ends: Offsets;
  readonly #open: Set<number>;

  constructor(
    visit: (record: TopicRecord) => void,
    next: Positions,
    ends: Offsets,
    open: Set<number>,
  ) {
    this.#visit = visit;
    this.next = next;
    this.#ends = ends;
    this.#open = open;
    this.complete = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#stalled = setTimeout(() => this.#stall(), STALLED_MS);
  }

  take(partition: number, messages: KafkaMessage[]): void {
    this.#stalled.refresh();
    const end = this.#ends.get(partition) ?? 0n;
    for (const { offset, timestamp, key, value, headers } of messages) {
      const at = BigInt(offset);
      if (at >= end) break;
      const expected = this.next.get(partition) ?? 0n;
      if (at !== expected) {
        this.fail(new Error(`partition ${partition} has ${at} after ${expected - 1n}`));
        return;
      }
      this.next.set(partition, at + 1n);
      const place = { partition, offset: Number(at), timestamp: Number(timestamp) };
      this.#visit({ ...place, key, headers: recordHeaders(headers), value });
    }
    if ((this.next.get(partition) ?? 0n) >= end) this.#open.delete(partition);
    if (this.#open.size === 0) this.#resolve();
  }

  fail(error: Error): void {
    this.#reject(error);
  }

  #stall(): void {
    const open = [...this.#open].map((partition) => `${partition} at ${this.next.get(partition)}`);
    this.fail(new Error(`no records for ${STALLED_MS} ms; open: ${open.join(', ')}`));
  }

  stop(): void {
    clearTimeout(this.#stalled);
  }
}
