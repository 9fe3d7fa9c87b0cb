import type { Config } from '../config/config.ts';
import type { StreamFile, TopicCreation } from './stream-file.ts';

/** Properties of a topic to create. */
export interface TopicProperties {
  readonly partitions: number;
  /** -1 = the broker's default */
  readonly replication: number;
  /** Topic configuration by name, as text for Kafka. */
  readonly config: Readonly<Record<string, string>>;
}

/** Returns the properties of a missing topic to create; undefined = it is not created. */
export function creationOf(
  topic: string,
  file: StreamFile,
  defaults: Pick<Config, 'kafkaTopicPartitions' | 'kafkaTopicReplication'>,
): TopicProperties | undefined {
  const create = declaredCreation(topic, file);
  if (create === undefined) return undefined;
  const { kafkaTopicPartitions, kafkaTopicReplication } = defaults;
  const { partitions = kafkaTopicPartitions, replication = kafkaTopicReplication } = create;
  return { partitions, replication, config: create.config };
}

/** Returns what the stream file declares for the creation of a topic; undefined = nothing. */
export function declaredCreation(
  topic: string,
  { streams }: StreamFile,
): TopicCreation | undefined {
  return streams.find((spec) => spec.topic === topic && spec.create)?.create;
}

/** Properties of a topic in Kafka. */
export interface ExistingTopic {
  readonly partitions: number;
  readonly replication: number;
  /** Undefined = it may not be read. */
  readonly config: ReadonlyMap<string, string> | undefined;
}

/** Returns the declared properties that a topic does not have, a text each. */
export function differencesOf(
  declared: TopicCreation | undefined,
  existing: ExistingTopic,
): string[] {
  if (declared === undefined) return [];
  const { partitions, replication, config } = declared;
  const rows = [
    ['partitions', partitions, existing.partitions],
    ['replication', replication, existing.replication],
    ...Object.entries(config).map(([name, value]) => [name, value, existing.config?.get(name)]),
  ] as const;
  return rows.flatMap(([name, wanted, found]) => {
    const isUnknown = wanted === undefined || wanted === -1 || found === undefined;
    if (isUnknown || String(found) === String(wanted)) return [];
    return [`${name} is ${found}, not ${wanted}`];
  });
}
