/**
 * What an attempt to store a batch can end in, and what follows.
 *
 * `definite`: the broker says so before it appends anything, so this attempt left nothing behind.
 * Everything else leaves the batch's fate open: with acks=all a broker appends, waits for the
 * replicas, and may answer NOT_LEADER after all.
 */
import type { ProduceErrorClass } from '../../metrics/catalogue.ts';

export type Outcome =
  | { readonly kind: 'stored'; readonly class?: ProduceErrorClass }
  | {
      readonly kind: 'retry';
      readonly class: ProduceErrorClass;
      readonly definite: boolean;
      /** Settings or rights are in the way: people have to act, so try slowly. */
      readonly slow?: boolean;
      /** Kafka's, where the table has no row for it. */
      readonly errorCode?: number;
    }
  | { readonly kind: 'restamp'; readonly class: 'timestamp' }
  | { readonly kind: 'poison'; readonly code: 'too_large' | 'rejected_by_kafka' }
  /** CORRUPT_MESSAGE: the network's fault the first time, the record's the second. */
  | { readonly kind: 'corrupt' }
  | { readonly kind: 'sequence'; readonly errorCode: number };

const unknown: Outcome = { kind: 'retry', class: 'unknown', definite: false };
const notAppended: Outcome = { kind: 'retry', class: 'not_appended', definite: true };
const byPolicy: Outcome = {
  kind: 'retry',
  class: 'refused_by_policy',
  definite: true,
  slow: true,
};
const tooLarge: Outcome = { kind: 'poison', code: 'too_large' };

/** Kafka's error codes of a produce response (kafka.apache.org/protocol#protocol_error_codes). */
const TABLE: Readonly<Record<number, Outcome>> = {
  0: { kind: 'stored' },
  2: { kind: 'corrupt' },
  3: unknown, // UNKNOWN_TOPIC_OR_PARTITION
  5: unknown, // LEADER_NOT_AVAILABLE
  6: unknown, // NOT_LEADER_OR_FOLLOWER
  7: unknown, // REQUEST_TIMED_OUT
  8: unknown, // BROKER_NOT_AVAILABLE
  9: unknown, // REPLICA_NOT_AVAILABLE
  10: tooLarge, // MESSAGE_TOO_LARGE
  13: unknown, // NETWORK_EXCEPTION
  17: byPolicy, // INVALID_TOPIC
  18: tooLarge, // RECORD_LIST_TOO_LARGE
  19: notAppended, // NOT_ENOUGH_REPLICAS
  20: unknown, // NOT_ENOUGH_REPLICAS_AFTER_APPEND
  29: byPolicy, // TOPIC_AUTHORIZATION_FAILED
  31: byPolicy, // CLUSTER_AUTHORIZATION_FAILED
  32: { kind: 'restamp', class: 'timestamp' }, // INVALID_TIMESTAMP
  43: byPolicy, // UNSUPPORTED_FOR_MESSAGE_FORMAT
  44: byPolicy, // POLICY_VIOLATION
  45: { kind: 'sequence', errorCode: 45 }, // OUT_OF_ORDER_SEQUENCE_NUMBER
  46: { kind: 'stored', class: 'duplicate_sequence' },
  47: { kind: 'sequence', errorCode: 47 }, // INVALID_PRODUCER_EPOCH
  56: unknown, // KAFKA_STORAGE_ERROR
  59: { kind: 'sequence', errorCode: 59 }, // UNKNOWN_PRODUCER_ID
  74: notAppended, // FENCED_LEADER_EPOCH
  75: notAppended, // UNKNOWN_LEADER_EPOCH
  76: byPolicy, // UNSUPPORTED_COMPRESSION_TYPE
  87: { kind: 'poison', code: 'rejected_by_kafka' }, // INVALID_RECORD
};

/** What Kafka's error code of one partition means; codes not in the table leave the fate open. */
export function outcomeOf(errorCode: number): Outcome {
  return TABLE[errorCode] ?? { kind: 'retry', class: 'unexpected', definite: false, errorCode };
}

/** An attempt that brought no answer for the partition. */
export function noAnswer(why: 'connection' | 'request_timeout' | 'missing_partition'): Outcome {
  return { kind: 'retry', class: why, definite: false };
}
