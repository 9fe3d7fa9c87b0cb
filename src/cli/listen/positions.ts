/** Offsets of a topic; waits while Kafka or the topic is unavailable. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import { EXIT, StartError } from '../../common/errors.ts';
import { CodecError } from './decompression.ts';
import type { Positions } from './reader.ts';

const PAUSE_MS = 1_000;

export interface Bounds {
  readonly low: Positions;
  readonly high: Positions;
  /** First offsets at a requested time; `high` if no record is that recent. */
  readonly since?: Positions;
}

/** Reason why the topic is not readable. */
export type Obstacle =
  | 'missing'
  | 'leaderless'
  | 'uncoordinated'
  | 'unreachable'
  | 'denied'
  | 'login'
  | 'codec';

/** Obstacles that may disappear. */
export const TRANSIENT: ReadonlySet<Obstacle> = new Set([
  'missing',
  'leaderless',
  'uncoordinated',
  'unreachable',
]);

/** Errors for a topic just created, or a broker that has just died. */
const LEADERLESS = new Set(['LEADER_NOT_AVAILABLE', 'NOT_LEADER_FOR_PARTITION']);

/** Classifies a kafkajs error by its causes: the outer ones only report exhausted retries. */
export function obstacleOf(error: unknown): Obstacle {
  for (let at = error; at instanceof Error; at = at.cause) {
    const type = (at as Error & { type?: string }).type ?? '';
    if (at instanceof CodecError) return 'codec';
    if (at.name === 'KafkaJSSASLAuthenticationError') return 'login';
    // While Kafka starts or a broker dies; also kafkajs's only error for a login without permission
    // on the group.
    if (at.name === 'KafkaJSGroupCoordinatorNotFound') return 'uncoordinated';
    if (type.endsWith('_AUTHORIZATION_FAILED')) return 'denied';
    if (type === 'UNKNOWN_TOPIC_OR_PARTITION') return 'missing';
    if (LEADERLESS.has(type)) return 'leaderless';
  }
  return 'unreachable';
}

/** Innermost message, its first line. */
export function reasonOf(error: unknown): string {
  let message = '';
  for (let at = error; at instanceof Error; at = at.cause) message = at.message;
  return message.split('\n')[0] ?? '';
}

/**
 * Fetches the topic's first and next offsets. Never creates the topic.
 * @param retries retries of kafkajs for transient errors, including a missing topic
 * @param sinceMs time in milliseconds since 1970, whose first records are looked up
 * @throws errors of kafkajs; see {@link obstacleOf}
 */
export async function fetchBounds(
  kafka: Kafka,
  topic: string,
  retries = 0,
  sinceMs?: number,
): Promise<Bounds> {
  const admin = kafka.admin({ retry: { retries } });
  try {
    await admin.connect();
    const offsets = await admin.fetchTopicOffsets(topic);
    const bounds = {
      low: new Map(offsets.map(({ partition, low }) => [partition, BigInt(low)])),
      high: new Map(offsets.map(({ partition, high }) => [partition, BigInt(high)])),
    };
    if (sinceMs === undefined) return bounds;
    const found = await admin.fetchTopicOffsetsByTimestamp(topic, sinceMs);
    const since = new Map(found.map(({ partition, offset }) => [partition, BigInt(offset)]));
    return { ...bounds, since };
  } finally {
    await admin.disconnect();
  }
}

export interface Wait {
  readonly kafka: Kafka;
  readonly topic: string;
  readonly sinceMs: number | undefined;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Polls until Kafka responds and the topic exists; reports each obstacle once through `say`.
 * @returns the bounds, and whether the topic was missing before
 * @throws StartError (exit code 1) if waiting is futile; AbortError if `signal` is aborted
 */
export async function waitForTopic({
  kafka,
  topic,
  sinceMs,
  say,
  signal,
}: Wait): Promise<Bounds & { appeared: boolean }> {
  let said: Obstacle | undefined;
  let appeared = false;
  for (;;) {
    signal.throwIfAborted();
    try {
      return { ...(await fetchBounds(kafka, topic, 0, sinceMs)), appeared };
    } catch (error) {
      const obstacle = obstacleOf(error);
      const line = describe(obstacle, topic, reasonOf(error));
      if (!TRANSIENT.has(obstacle)) throw new StartError(line, EXIT.failed);
      if (obstacle !== said) say(line);
      said = obstacle;
      appeared ||= obstacle === 'missing';
    }
    await sleep(PAUSE_MS, undefined, { signal });
  }
}

/** Describes an obstacle in a line, and for a transient one that it is waited for. */
export function describe(obstacle: Obstacle, topic: string, reason: string): string {
  const text = obstacleText(obstacle, topic, reason);
  if (obstacle === 'missing') return `${text} yet; waiting for it`;
  return TRANSIENT.has(obstacle) ? `${text}; waiting for it` : text;
}

/** Describes an obstacle in a line. @param reason see {@link reasonOf} */
export function obstacleText(obstacle: Obstacle, topic: string, reason: string): string {
  switch (obstacle) {
    case 'missing':
      return `topic ${topic} does not exist`;
    case 'leaderless':
      return `topic ${topic} has a partition without a leader`;
    case 'uncoordinated':
      return 'no group coordinator, or no READ permission on groups forebay-listen-*';
    case 'unreachable':
      return `Kafka cannot be reached (${reason})`;
    case 'denied':
      return `Kafka denied access to topic ${topic} (${reason})`;
    case 'login':
      return `Kafka rejected the credentials (${reason})`;
    case 'codec':
      return `cannot decompress topic ${topic}: ${reason}`;
  }
}
