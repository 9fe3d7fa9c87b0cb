/**
 * Outcomes of an attempt to store a batch.
 *
 * `definite`: the broker returns this error before it appends, so the attempt left no trace. Every
 * other error leaves the fate open: with acks=all a broker appends, waits for the replicas, and may
 * still answer NOT_LEADER_OR_FOLLOWER.
 */
import type { ProduceErrorClass } from '../../metrics/labels.ts';

export const UNKNOWN_TOPIC_OR_PARTITION = 3;
export const NOT_LEADER_OR_FOLLOWER = 6;

/** Outcome of an attempt, with Kafka's error code if a broker returned one. */
export type Outcome = Classification & { readonly errorCode?: number };

type Classification =
  | { readonly kind: 'stored'; readonly class?: ProduceErrorClass }
  | {
      readonly kind: 'retry';
      readonly class: ProduceErrorClass;
      readonly definite: boolean;
      /** Settings or ACLs prevent it: an operator has to act, so retries are slow. */
      readonly slow?: boolean;
    }
  | { readonly kind: 'restamp'; readonly class: 'timestamp' }
  | { readonly kind: 'poison'; readonly code: 'too_large' | 'rejected_by_kafka' }
  /** CORRUPT_MESSAGE: a fault of the network the first time, of the record the second time. */
  | { readonly kind: 'corrupt' }
  | { readonly kind: 'sequence' };

const unknown: Classification = { kind: 'retry', class: 'unknown', definite: false };
const notAppended: Classification = { kind: 'retry', class: 'not_appended', definite: true };
const byPolicy: Classification = {
  kind: 'retry',
  class: 'refused_by_policy',
  definite: true,
  slow: true,
};
const tooLarge: Classification = { kind: 'poison', code: 'too_large' };

/**
 * Kafka's names of error codes (kafka.apache.org/protocol#protocol_error_codes) and their outcomes
 * in a produce response. Codes without an outcome belong to other requests.
 */
const TABLE: Readonly<Record<number, readonly [name: string, outcome?: Classification]>> = {
  [-1]: ['UNKNOWN_SERVER_ERROR'],
  0: ['NONE', { kind: 'stored' }],
  2: ['CORRUPT_MESSAGE', { kind: 'corrupt' }],
  3: ['UNKNOWN_TOPIC_OR_PARTITION', unknown],
  5: ['LEADER_NOT_AVAILABLE', unknown],
  6: ['NOT_LEADER_OR_FOLLOWER', unknown],
  7: ['REQUEST_TIMED_OUT', unknown],
  8: ['BROKER_NOT_AVAILABLE', unknown],
  9: ['REPLICA_NOT_AVAILABLE', unknown],
  10: ['MESSAGE_TOO_LARGE', tooLarge],
  13: ['NETWORK_EXCEPTION', unknown],
  14: ['COORDINATOR_LOAD_IN_PROGRESS'],
  15: ['COORDINATOR_NOT_AVAILABLE'],
  16: ['NOT_COORDINATOR'],
  17: ['INVALID_TOPIC_EXCEPTION', byPolicy],
  18: ['RECORD_LIST_TOO_LARGE', tooLarge],
  19: ['NOT_ENOUGH_REPLICAS', notAppended],
  20: ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', unknown],
  21: ['INVALID_REQUIRED_ACKS'],
  29: ['TOPIC_AUTHORIZATION_FAILED', byPolicy],
  31: ['CLUSTER_AUTHORIZATION_FAILED', byPolicy],
  32: ['INVALID_TIMESTAMP', { kind: 'restamp', class: 'timestamp' }],
  35: ['UNSUPPORTED_VERSION'],
  41: ['NOT_CONTROLLER'],
  42: ['INVALID_REQUEST'],
  43: ['UNSUPPORTED_FOR_MESSAGE_FORMAT', byPolicy],
  44: ['POLICY_VIOLATION', byPolicy],
  45: ['OUT_OF_ORDER_SEQUENCE_NUMBER', { kind: 'sequence' }],
  46: ['DUPLICATE_SEQUENCE_NUMBER', { kind: 'stored', class: 'duplicate_sequence' }],
  47: ['INVALID_PRODUCER_EPOCH', { kind: 'sequence' }],
  56: ['KAFKA_STORAGE_ERROR', unknown],
  59: ['UNKNOWN_PRODUCER_ID', { kind: 'sequence' }],
  74: ['FENCED_LEADER_EPOCH', notAppended],
  75: ['UNKNOWN_LEADER_EPOCH', notAppended],
  76: ['UNSUPPORTED_COMPRESSION_TYPE', byPolicy],
  87: ['INVALID_RECORD', { kind: 'poison', code: 'rejected_by_kafka' }],
  89: ['THROTTLING_QUOTA_EXCEEDED'],
  90: ['PRODUCER_FENCED'],
  100: ['UNKNOWN_TOPIC_ID'],
};

/** Created once: a stored batch allocates no outcome. */
const OUTCOMES: ReadonlyMap<number, Outcome> = new Map(
  Object.entries(TABLE).flatMap(([code, [, classification]]) => {
    const errorCode = Number(code);
    if (classification === undefined) return [];
    return [[errorCode, errorCode === 0 ? classification : { ...classification, errorCode }]];
  }),
);

/** Maps the error code of a partition to an outcome; unlisted codes leave the fate open. */
export function outcomeOf(errorCode: number): Outcome {
  const outcome = OUTCOMES.get(errorCode);
  return outcome ?? { kind: 'retry', class: 'unexpected', definite: false, errorCode };
}

/** Whether ACLs or policy cause the error, until an operator acts. */
export function isRejectedByPolicy(errorCode: number): boolean {
  const outcome = outcomeOf(errorCode);
  return 'class' in outcome && outcome.class === 'refused_by_policy';
}

/** Returns Kafka's name of an error code for display; the number if the table has none. */
export function errorName(errorCode: number): string {
  return TABLE[errorCode]?.[0] ?? `error ${errorCode}`;
}

/** Returns the outcome of an attempt without a response for the partition. */
export function noAnswer(why: 'connection' | 'request_timeout' | 'missing_partition'): Outcome {
  return { kind: 'retry', class: why, definite: false };
}
