/** Identity of the topic of dead letters, and its offsets. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import { EXIT, StartError } from '../../common/errors.ts';
import type { Config } from '../../config/config.ts';
import { parseBrokerAddress } from '../../kafka/broker-address.ts';
import { kafkaOptions } from '../../kafka/client-options.ts';
import type { Logger } from '../../logging/logger.ts';
import { BASE_TIMEOUTS } from '../../worker/producer/adaptive-timeouts.ts';
import { Link } from '../../worker/producer/link.ts';
import {
  decodeMetadataWithIds,
  METADATA_WITH_IDS,
  metadataWithIdsBody,
} from '../../worker/producer/metadata-with-ids.ts';
import { type Bounds, obstacleOf, obstacleText, reasonOf, TRANSIENT } from '../listen/positions.ts';
import type { ReplayedOffsets, SourceTopic } from './state-file.ts';

/** Interval of attempts while Kafka is not available. */
const PAUSE_MS = 1_000;

export interface Waiting {
  readonly topic: string;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
  /** Time for which an unavailable Kafka is waited for. */
  readonly patienceMs: number;
}

/**
 * Returns the result of a request about a topic, repeated until Kafka is available.
 * @throws StartError (exit code 1) if the topic does not exist, waiting is futile, or it has lasted
 * for `patienceMs`; AbortError
 */
export async function whenAvailable<T>(
  request: () => Promise<T>,
  { topic, say, signal, patienceMs }: Waiting,
): Promise<T> {
  const endMs = performance.now() + patienceMs;
  for (let said: string | undefined; ; ) {
    signal.throwIfAborted();
    try {
      return await request();
    } catch (error) {
      const obstacle = obstacleOf(error);
      const line = obstacleText(obstacle, topic, reasonOf(error));
      const mayPass = TRANSIENT.has(obstacle) && obstacle !== 'missing';
      if (!mayPass || performance.now() > endMs) {
        throw new StartError(`replay: ${line}`, EXIT.failed);
      }
      if (said !== obstacle) say(`${line}; waiting for it`);
      said = obstacle;
    }
    await sleep(PAUSE_MS, undefined, { signal });
  }
}

/**
 * Looks up the ids of the cluster and of the topic.
 * @throws errors of kafkajs
 */
export async function sourceTopic(
  kafka: Kafka,
  config: Config,
  topic: string,
  log: Logger,
): Promise<SourceTopic> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    const { clusterId: cluster } = await admin.describeCluster();
    return { cluster, topic, topicId: await topicIdOf(config, topic, log) };
  } finally {
    await admin.disconnect().catch(() => {});
  }
}

/** Returns the id of a topic; null if no broker tells it, as those before Kafka 2.8. */
async function topicIdOf(config: Config, topic: string, log: Logger): Promise<string | null> {
  const { clientId = '', ssl, sasl } = kafkaOptions(config);
  for (const broker of config.kafkaBrokers) {
    const options = { clientId, ssl: ssl as object | undefined, sasl, logger: log };
    const link = new Link(parseBrokerAddress(broker)!, options);
    try {
      await link.open(BASE_TIMEOUTS);
      if (!link.supports(METADATA_WITH_IDS)) continue;
      const body = metadataWithIdsBody([topic]);
      const { topicMetadata } = await link.request(
        METADATA_WITH_IDS,
        body,
        decodeMetadataWithIds,
        BASE_TIMEOUTS,
      );
      const id = topicMetadata.find((found) => found.topic === topic)?.topicId;
      if (id !== undefined) return id;
    } catch {
      // The next broker may answer.
    } finally {
      link.close();
    }
  }
  return null;
}

/**
 * Returns whether the offsets of the topic have started again: dead letters that were replayed are
 * beyond its end. Detects a recreated topic where no broker tells its id.
 */
export function hasStartedAgain(offsets: ReplayedOffsets, { high }: Bounds): boolean {
  return offsets.partitions.some((partition) => {
    const next = high.get(partition);
    return next === undefined || BigInt(offsets.lastOf(partition) ?? -1) >= next;
  });
}

/** Returns the number of dead letters that may have been stored, and are no longer in Kafka. */
export function removedOpen({ open }: ReplayedOffsets, { low }: Bounds): number {
  return open.partitions.reduce((sum, partition) => {
    const set = open.of(partition);
    return sum + set.size - set.sizeFrom(Number(low.get(partition) ?? 0n));
  }, 0);
}
