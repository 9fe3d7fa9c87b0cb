import kafkajs, { type Admin, type KafkaConfig } from 'kafkajs';
import { backoffMs } from '../../common/backoff.ts';
import { LIMITS } from '../../config/limits.ts';
import type { TimestampBounds, TopicFacts } from '../../ipc.ts';
import type { Logger } from '../../logging/logger.ts';
import type { TopicCreation } from '../../streams/stream-file.ts';
import { differencesOf, type TopicProperties } from '../../streams/topic-creation.ts';
import type { Faults } from '../faults.ts';
import { adminFailure } from './admin-failure.ts';
import { readTopicConfig } from './topic-config.ts';

const BACKOFF_MS = { first: 100, last: 1_000 } as const;

export interface TopicAdminOptions {
  readonly kafka: KafkaConfig;
  readonly topic: string;
  /** Returns the properties of the topic to create; undefined = it is not created. */
  readonly creation: () => TopicProperties | undefined;
  /** Returns the properties that the stream file declares; undefined = none. */
  readonly declared: () => TopicCreation | undefined;
  /** Whether a stream has the topic. */
  readonly isWanted: () => boolean;
  /** The topic is one of a stream file. */
  readonly isDeclared: boolean;
  /** Whether a broker returned UNKNOWN_TOPIC_OR_PARTITION for the topic. */
  readonly isMissing: () => boolean;
  /** Called with the reason why a missing topic was not created. */
  readonly creationFailed: (reason: string) => void;
  readonly log: Logger;
  readonly faults: Faults;
}

class NoTopic extends Error {}
class NotCreated extends Error {}

/**
 * Creates a topic if it is missing and creation is allowed, reads its configuration, and warns of
 * settings that weaken acknowledgements. Runs in one worker of an instance; retries until Kafka
 * answers.
 * @returns undefined once no stream has the topic
 */
export async function administerTopic(options: TopicAdminOptions): Promise<TopicFacts | undefined> {
  for (let tries = 1; options.isWanted(); tries++) {
    const brokers = inTurn(options.kafka.brokers as readonly string[], tries);
    const kafka = new kafkajs.Kafka({ ...options.kafka, brokers, retry: { retries: 0 } });
    const admin = kafka.admin();
    try {
      await admin.connect();
      await createIfMissing(admin, options);
      return await readFacts(admin, options);
    } catch (error) {
      report(error, options);
    } finally {
      await admin.disconnect().catch(() => {});
    }
    await new Promise((resolve) => setTimeout(resolve, backoffMs(BACKOFF_MS, tries)));
  }
  return undefined;
}

/** Rotates the brokers: a client without retries queries only the first one. */
function inTurn(brokers: readonly string[], tries: number): string[] {
  const first = (tries - 1) % brokers.length;
  return [...brokers.slice(first), ...brokers.slice(0, first)];
}

function report(error: unknown, options: TopicAdminOptions): void {
  const { topic, isDeclared, log, faults } = options;
  if (!options.isWanted()) return;
  if (error instanceof NoTopic) {
    if (isDeclared) faults.error(topic, { topic }, 'topic does not exist and no stream creates it');
    else faults.error(topic, { topic }, 'topic does not exist and KAFKA_CREATE_TOPIC is 0');
    return;
  }
  const { isConnection, ...failure } = adminFailure(error);
  const { hint } = failure;
  const fields = { topic, ...failure };
  if (error instanceof NotCreated || (options.creation() !== undefined && options.isMissing())) {
    options.creationFailed(hint);
    faults.warn(`${topic} ${hint}`, fields, 'topic creation failed');
  } else if (isConnection) {
    // The producer encounters and reports it too.
    log.debug(fields, 'topic configuration request failed');
  } else faults.warn(`${topic} ${hint}`, fields, 'topic configuration request failed');
}

async function createIfMissing(admin: Admin, options: TopicAdminOptions): Promise<void> {
  const { topic, log } = options;
  if ((await admin.listTopics()).includes(topic)) return;
  const creation = options.isWanted() ? options.creation() : undefined;
  if (creation === undefined) throw new NoTopic();
  const { partitions, replication, config } = creation;
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
  const properties = { numPartitions: partitions, replicationFactor: replication, configEntries };
  const request = {
    topics: [{ topic, ...properties }],
    waitForLeaders: false,
  };
  const created = await admin.createTopics(request).catch((cause: unknown) => {
    throw new NotCreated('topic creation failed', { cause });
  });
  const copies = replication === -1 ? 'broker default' : replication;
  if (created) log.info({ topic, partitions, replication: copies }, 'topic created');
}

async function readFacts(admin: Admin, options: TopicAdminOptions): Promise<TopicFacts> {
  const { topic, log } = options;
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  const partitions = topics[0]?.partitions ?? [];
  if (partitions.some(({ replicas }) => replicas.length === 1)) {
    log.warn({ topic }, 'topic has replication factor 1, acknowledged events are on one disk only');
  }
  const values = await readTopicConfig(admin, topic);
  const replication = partitions[0]?.replicas.length ?? 0;
  const existing = { partitions: partitions.length, replication, config: values };
  const differences = differencesOf(options.declared(), existing);
  if (differences.length > 0) {
    log.warn({ topic, differences }, 'topic differs from the stream file');
  }
  if (values === undefined) {
    log.warn(
      { topic },
      'not authorized to read the topic configuration, assuming the default max.message.bytes',
    );
    return { topic, maxMessageBytes: LIMITS.maxMessageBytesDefault, timestamps: {} };
  }
  if (values.get('min.insync.replicas') === '1') {
    log.warn({ topic }, 'min.insync.replicas is 1, acknowledged events may be on one disk only');
  }
  if (values.get('unclean.leader.election.enable') === 'true') {
    log.warn({ topic }, 'unclean leader election is enabled, Kafka may lose acknowledged events');
  }
  const maxMessageBytes = Number(values.get('max.message.bytes'));
  return {
    topic,
    maxMessageBytes: maxMessageBytes > 0 ? maxMessageBytes : LIMITS.maxMessageBytesDefault,
    timestamps: timestampBounds(values),
  };
}

/** Returns the bounds of a topic; brokers before Kafka 3.6 have one for both directions. */
function timestampBounds(values: ReadonlyMap<string, string>): TimestampBounds {
  // The broker ignores the timestamps of records.
  if (values.get('message.timestamp.type') === 'LogAppendTime') return {};
  const boundOf = (name: string) => {
    const text = values.get(name) ?? values.get('message.timestamp.difference.max.ms');
    return text === undefined ? undefined : Number(text);
  };
  return {
    beforeMs: boundOf('message.timestamp.before.max.ms'),
    afterMs: boundOf('message.timestamp.after.max.ms'),
  };
}
