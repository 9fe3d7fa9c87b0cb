/**
 * Bounds that are not settings, and how bounds relate. What an operator may turn is in config.ts.
 * Each number says what breaks beyond it.
 */
import assert from 'node:assert/strict';

export const KIB = 1024;
export const MIB = 1024 * KIB;

export const LIMITS = {
  /** Events in one WebSocket frame. With the frame's byte bound it caps a loop turn's work. */
  frameEvents: 1_000,
  /** Events in one HTTP body. */
  bodyEvents: 10_000,
  /** Bytes of one HTTP body, counted as they arrive. */
  bodyBytes: MIB,
  /** Bytes that a client may leave unread before it is closed as `slow_consumer`. */
  unreadBytes: 64 * KIB,
  /** Seconds without a message, answered ping included, before a connection is closed. */
  idleSeconds: 120,
  /** First credit of a connection, and how far it may be ahead of what is settled. */
  creditFrames: 64,
  creditBytes: 256 * KIB,
  /** The oldest event of a batch may be this old when another joins it (see 'deadlines'). */
  batchOpenMsMax: 1_000,
  /** Copies that kafkajs makes of a request at the most: two encoders, powers of two. */
  requestCopies: 4,
  /** What the bookkeeping of one buffered event takes beside its bytes, about. */
  eventOverheadBytes: 40,
  /** `max.message.bytes` of a topic whose configuration may not be read: the least default that
   * Kafka versions ever had. */
  maxMessageBytesDefault: 1_000_012,
  /** A response longer than this is not one of a broker's. */
  responseBytes: 16 * MIB,
  /** How often a worker sends its numbers to the primary. */
  snapshotIntervalMs: 1_000,
  /** Pause before a dead worker is replaced: doubles from the first to the last. */
  restartDelayMs: { first: 100, last: 10_000 },
  /** Workers that die in a row before they listened: then the instance gives up. */
  failedStartsMax: 5,
} as const;

assert(LIMITS.frameEvents <= LIMITS.bodyEvents);
assert(LIMITS.creditFrames > 1);
assert(LIMITS.restartDelayMs.first < LIMITS.restartDelayMs.last);
