import type { Config } from '../config/config.ts';
import type { StreamFile } from './stream-file.ts';

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
  { streams }: StreamFile,
  defaults: Pick<Config, 'kafkaTopicPartitions' | 'kafkaTopicReplication'>,
): TopicProperties | undefined {
  const { create } = streams.find((spec) => spec.topic === topic && spec.create) ?? {};
  if (create === undefined) return undefined;
  const { kafkaTopicPartitions, kafkaTopicReplication } = defaults;
  const { partitions = kafkaTopicPartitions, replication = kafkaTopicReplication } = create;
  return { partitions, replication, config: create.config };
}
