/** Finds out where a topic begins and ends, and waits while there is no Kafka or no such topic. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import { EXIT, StartError } from '../../common/errors.ts';
import { CodecError } from './decompression.ts';
import type { Positions } from './reader.ts';

const PAUSE_MS = 1_000;

export interface Bounds {
  readonly low: Positions;
  readonly high: Positions;
  /** The first record of a time, if it was asked for; `high` where there is none so late. */
  readonly since?: Positions;
}

/** What stands in the way of reading. */
export type Obstacle =
  | 'missing'
  | 'leaderless'
  | 'uncoordinated'
  | 'unreachable'
  | 'denied'
  | 'login'
  | 'codec';

/** Those that waiting helps against. */
export const PASSING: ReadonlySet<Obstacle> = new Set([
  'missing',
  'leaderless',
  'uncoordinated',
  'unreachable',
]);

/** Of a topic that is just made, or of a broker that has just died. */
const LEADERLESS = new Set(['LEADER_NOT_AVAILABLE', 'NOT_LEADER_FOR_PARTITION']);

/** Walks the causes of a kafkajs error: the outer ones only tell that it tried often enough. */
export function obstacleOf(error: unknown): Obstacle {
  for (let at = error; at instanceof Error; at = at.cause) {
    const type = (at as Error & { type?: string }).type ?? '';
    if (at instanceof CodecError) return 'codec';
    if (at.name === 'KafkaJSSASLAuthenticationError') return 'login';
    // Of a Kafka that starts, of a broker that dies just then, and all that kafkajs tells of a
    // login without rights on the group.
    if (at.name === 'KafkaJSGroupCoordinatorNotFound') return 'uncoordinated';
    if (type.endsWith('_AUTHORIZATION_FAILED')) return 'denied';
    if (type === 'UNKNOWN_TOPIC_OR_PARTITION') return 'missing';
    if (LEADERLESS.has(type)) return 'leaderless';
  }
  return 'unreachable';
}

/** The innermost reason in words, cut to one line. */
export function reasonOf(error: unknown): string {
  let message = '';
  for (let at = error; at instanceof Error; at = at.cause) message = at.message;
  return message.split('\n')[0] ?? '';
}

/**
 * The topic's first and next offsets now. Never creates the topic.
 * @param retries how often kafkajs tries again what may pass, a missing topic included
 * @param sinceMs a time in milliseconds since 1970, to look for the first records of
 * @throws what kafkajs throws; see {@link obstacleOf}
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
 * Asks until Kafka answers and the topic is there, and tells by `say` what it waits for, each
 * reason once.
 * @returns the bounds, and whether the topic was seen to be missing before
 * @throws StartError (exit code 1) when waiting does not help; AbortError when `signal` is aborted
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
      if (!PASSING.has(obstacle)) throw new StartError(line, EXIT.failed);
      if (obstacle !== said) say(line);
      said = obstacle;
      appeared ||= obstacle === 'missing';
    }
    await sleep(PAUSE_MS, undefined, { signal });
  }
}

/** What stands in the way, and whether it is waited for, in a line for people. */
export function describe(obstacle: Obstacle, topic: string, reason: string): string {
  switch (obstacle) {
    case 'missing':
      return `topic ${topic} does not exist yet; waiting for it`;
    case 'leaderless':
      return `topic ${topic} has a partition without a leader; waiting for it`;
    case 'uncoordinated':
      return 'the group has no coordinator, or this login no READ on groups forebay-listen-*; waiting for it';
    case 'unreachable':
      return `Kafka cannot be reached (${reason}); waiting for it`;
    case 'denied':
      return `Kafka does not allow to read topic ${topic} (${reason})`;
    case 'login':
      return `Kafka does not accept the credentials (${reason})`;
    case 'codec':
      return `topic ${topic} is compressed in a way that cannot be read: ${reason}`;
  }
}
