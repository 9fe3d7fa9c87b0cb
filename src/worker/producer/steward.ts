import kafkajs, { type Admin, type KafkaConfig } from 'kafkajs';
import { backoffMs } from '../../backoff.ts';
import { LIMITS } from '../../limits.ts';
import { type Logger, SampledLog } from '../../log.ts';
import type { TopicFacts } from '../../messages.ts';

const BACKOFF_MS = { first: 100, last: 1_000 } as const;

export interface StewardOptions {
  readonly kafka: KafkaConfig;
  readonly topic: string;
  readonly partitions: number;
  /** -1 = the broker's default */
  readonly replication: number;
  readonly mayCreate: boolean;
  readonly log: Logger;
}

/**
 * Looks after the topic, in one worker of an instance: creates it if it is missing and that is
 * allowed, reads its configuration, and warns of one that makes an acknowledgement worth less.
 * Tries until Kafka answers.
 */
export async function stewardTopic(options: StewardOptions): Promise<TopicFacts> {
  const { log } = options;
  const sampled = new SampledLog();
  for (let tries = 1; ; tries++) {
    const admin = new kafkajs.Kafka({ ...options.kafka, retry: { retries: 0 } }).admin();
    try {
      await admin.connect();
      await createIfMissing(admin, options, sampled);
      return await readFacts(admin, options);
    } catch (error) {
      log.debug({ error: (error as Error).message }, 'the topic cannot be looked after yet');
    } finally {
      await admin.disconnect().catch(() => {});
    }
    await new Promise((resolve) => setTimeout(resolve, backoffMs(BACKOFF_MS, tries)));
  }
}

async function createIfMissing(
  admin: Admin,
  options: StewardOptions,
  sampled: SampledLog,
): Promise<void> {
  const { topic, partitions, replication, mayCreate, log } = options;
  if ((await admin.listTopics()).includes(topic)) return;
  if (!mayCreate) {
    sampled.line('missing', (held) =>
      log.error({ topic, held }, 'the topic does not exist, and KAFKA_CREATE_TOPIC is 0'),
    );
    throw new Error('no topic');
  }
  try {
    const created = await admin.createTopics({
      topics: [{ topic, numPartitions: partitions, replicationFactor: replication }],
      waitForLeaders: false,
    });
    const copies = replication === -1 ? 'broker default' : replication;
    if (created) log.info({ topic, partitions, replication: copies }, 'topic created');
  } catch (error) {
    const reason = (error as { errors?: { message: string }[] }).errors?.[0]?.message;
    sampled.line('refused', (held) =>
      log.error(
        { topic, error: reason ?? (error as Error).message, held },
        'the topic cannot be created',
      ),
    );
    throw error;
  }
}

async function readFacts(admin: Admin, { topic, log }: StewardOptions): Promise<TopicFacts> {
  await warnOfOneReplica(admin, topic, log);
  const values = await describe(admin, topic);
  if (values === undefined) {
    log.warn(
      'the topic’s configuration may not be read: max.message.bytes is taken as its default',
    );
    return { maxMessageBytes: LIMITS.maxMessageBytesDefault };
  }
  if (values.get('min.insync.replicas') === '1') {
    log.warn({ topic }, 'min.insync.replicas is 1: an acknowledged event may be on one disk only');
  }
  if (values.get('unclean.leader.election.enable') === 'true') {
    log.warn({ topic }, 'unclean leader election is on: Kafka may lose acknowledged events');
  }
  const maxMessageBytes = Number(values.get('max.message.bytes'));
  return {
    maxMessageBytes: maxMessageBytes > 0 ? maxMessageBytes : LIMITS.maxMessageBytesDefault,
  };
}

async function warnOfOneReplica(admin: Admin, topic: string, log: Logger): Promise<void> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  if (topics[0]?.partitions.some(({ replicas }) => replicas.length === 1)) {
    log.warn({ topic }, 'replication factor 1: acknowledged events are as safe as one disk');
  }
}

/** The topic's configuration; undefined when it may not be read. */
async function describe(
  admin: Admin,
  topic: string,
): Promise<ReadonlyMap<string, string> | undefined> {
  try {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
    });
    const entries = resources[0]?.configEntries ?? [];
    return new Map(entries.map(({ configName, configValue }) => [configName, configValue]));
  } catch (error) {
    if (/AUTHORIZATION/.test(String((error as { type?: string }).type))) return undefined;
    throw error;
  }
}
