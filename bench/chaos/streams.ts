/** Streams of a scenario: their topics, and the stream file of its gateways. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Lifetime } from '../../testing/lifetime.ts';
import { createTopic, type TopicPlace } from '../../testing/topic.ts';

/** A stream, and where its topic is stored. */
export interface StreamSetup {
  /** Name; `default` receives the load of the scenario. */
  readonly name: string;
  /** Ids of the brokers with each partition; the first one leads it. */
  readonly replicas: readonly (readonly number[])[];
  readonly minInSync: number;
  /** The gateway is ready only while it can write to the stream. */
  readonly required: boolean;
}

const DEFAULT = 'default';

/** Returns the topic of a stream. @param topic of the stream `default` */
export function topicOf(topic: string, name: string): string {
  return name === DEFAULT ? topic : `${topic}.${name}`;
}

/**
 * Creates the topics, and writes a stream file until `lifetime` ends.
 * @returns settings of the gateways; none without streams
 */
export async function declareStreams(
  lifetime: Lifetime,
  { brokers, topic }: TopicPlace,
  streams: readonly StreamSetup[] | undefined,
): Promise<Record<string, string>> {
  if (streams === undefined) return {};
  for (const { name, replicas, minInSync } of streams) {
    await createTopic(
      { brokers, topic: topicOf(topic, name) },
      {
        // Kafka takes both from the assignment.
        numPartitions: -1,
        replicationFactor: -1,
        replicaAssignment: replicas.map((ids, partition) => ({ partition, replicas: [...ids] })),
        configEntries: [{ name: 'min.insync.replicas', value: String(minInSync) }],
      },
    );
  }
  const folder = await mkdtemp(join(tmpdir(), 'forebay-streams-'));
  lifetime.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'streams.json');
  const declared = streams.map(
    ({ name, required }) => [name, { topic: topicOf(topic, name), required }] as const,
  );
  await writeFile(path, JSON.stringify({ version: 1, streams: Object.fromEntries(declared) }));
  return { FOREBAY_STREAMS_FILE: path };
}
