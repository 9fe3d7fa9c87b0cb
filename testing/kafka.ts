import { randomUUID } from 'node:crypto';
import { startCluster } from '../deploy/kafka/cluster.ts';

/** One Kafka node for many tests: none of them may stop it or expect exclusive use. */
export interface SharedKafka {
  readonly brokers: readonly string[];
}

/** Variable in which scripts/test.ts passes the node that it started for the whole run. */
export const SHARED_KAFKA_VARIABLE = 'FOREBAY_TEST_KAFKA';

/** Returns the Kafka started by scripts/test.ts, or named by KAFKA_BROKERS. */
export function externalKafka(): SharedKafka | undefined {
  const given = process.env[SHARED_KAFKA_VARIABLE];
  if (given !== undefined) return JSON.parse(given) as SharedKafka;
  const brokers = process.env.KAFKA_BROKERS;
  return brokers ? { brokers: brokers.split(',') } : undefined;
}

let shared: Promise<SharedKafka> | undefined;

/** The Kafka of this run of tests; of this file alone if it runs by itself: then it ends with the
 * process. A test that stops or pauses brokers starts its own with `startCluster`. */
export function sharedKafka(): Promise<SharedKafka> {
  const given = externalKafka();
  shared ??= given === undefined ? startCluster() : Promise.resolve(given);
  return shared;
}

/** Returns a unique topic name. */
export function uniqueTopic(prefix = 'test'): string {
  return `${prefix}-${randomUUID().slice(0, 13)}`;
}
