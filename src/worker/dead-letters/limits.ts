import { KIB } from '../../config/limits.ts';

/** Limits of dead letters. */
export const DEAD_LETTER_LIMITS = {
  /** Bytes of a value, which is cut. */
  valueBytes: 64 * KIB,
  /** Default rate of an internal stream in each worker, so that a flood leaves Kafka to events. */
  eventsPerSecond: 5_000,
  /** A value takes a token of that rate for each of these. */
  tokenBytes: 4 * KIB,
  /** Bytes of the message, which is cut: any message of a rejection fits. */
  messageBytes: 640,
  /** Bytes of all headers. */
  headerBytes: 8 * KIB,
} as const;
