/** Streams of a scenario: their topics, and the stream file of its gateways. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HeaderName } from '../../src/streams/stream-file.ts';
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
  /** JSON Schema of its events; default: any object. */
  readonly schema?: object;
  /** Name of the internal stream of its dead letters. */
  readonly deadLetter?: string;
  /** Only the gateway writes to it. */
  readonly internal?: boolean;
}

/** Streams of a scenario; by default there is no stream file. */
export interface Declared {
  /** With topics of their own; the load has the stream `default`. */
  readonly streams?: readonly StreamSetup[];
  /** Records have headers, among them the mark of possible repeats. */
  readonly headers?: boolean;
}

const DEFAULT = 'default';
/** Headers of all streams in scenarios with headers. */
const HEADERS: readonly HeaderName[] = ['received', 'event-id', 'resent', 'transport'];

/** Returns the topic of a stream. @param topic of the stream `default` */
export function topicOf(topic: string, name: string): string {
  return name === DEFAULT ? topic : `${topic}.${name}`;
}

/**
 * Creates the topics, and writes a stream file until `lifetime` ends.
 * @returns settings of the gateways; none without streams and headers
 */
export async function declareStreams(
  lifetime: Lifetime,
  { brokers, topic }: TopicPlace,
  { streams, headers = false }: Declared,
): Promise<Record<string, string>> {
  if (streams === undefined && !headers) return {};
  const folder = await mkdtemp(join(tmpdir(), 'forebay-streams-'));
  lifetime.after(() => rm(folder, { recursive: true }));
  const declared = await createTopics({ brokers, topic }, streams);
  for (const { name, schema } of streams ?? []) {
    if (schema === undefined) continue;
    const file = `${name}.json`;
    await writeFile(join(folder, file), JSON.stringify(schema));
    Object.assign(declared[name]!, { schema: { file } });
  }
  const path = join(folder, 'streams.json');
  const defaults = headers ? { headers: HEADERS } : {};
  await writeFile(path, JSON.stringify({ version: 1, defaults, streams: declared }));
  return { FOREBAY_STREAMS_FILE: path };
}

/** Creates the topics of streams. @returns the streams as the file declares them */
async function createTopics(
  { brokers, topic }: TopicPlace,
  streams: readonly StreamSetup[] | undefined,
): Promise<Record<string, object>> {
  // The gateway creates the topic, as without a stream file.
  if (streams === undefined) return { [DEFAULT]: { topic, create: {} } };
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
  return Object.fromEntries(
    streams.map(({ name, required, deadLetter, internal }) => {
      return [name, { topic: topicOf(topic, name), required, deadLetter, internal }];
    }),
  );
}
