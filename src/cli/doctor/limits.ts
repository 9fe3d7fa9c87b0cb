/** Fixed limits of `doctor`. */
import { KIB, MIB } from '../../config/limits.ts';
import { BASE_TIMEOUTS, type Timeouts } from '../../worker/producer/adaptive-timeouts.ts';

/**
 * Timeouts of its connections: longer than those of the gateway, so that a slow broker is reported
 * as slow instead of unreachable.
 */
export const DOCTOR_TIMEOUTS: Timeouts = {
  ackTimeoutMs: 8_000,
  guardMs: 10_000,
  requestMs: 15_000,
  handshakeMs: 5_000,
  connectMs: 10_000,
};

export const DOCTOR_LIMITS = {
  /** Time of a step after which it is slow: the gateway’s first attempt would time out. */
  slowMs: BASE_TIMEOUTS.handshakeMs,
  /** Time for the resolution of a host name. */
  resolveMs: 5_000,
  /** Concurrent connections to brokers. */
  concurrency: 16,
  /** Addresses of a host that are shown. */
  addressesShown: 4,
  /** Partitions of the scratch topic: one per broker, up to this number. */
  scratchPartitions: 12,
  /** Time until each partition of the scratch topic has a leader, and until starting brokers assign
   * a producer id. */
  leadersMs: 15_000,
  leadersPollMs: 100,
  /** Attempts of a request about topics whose connection fails, and the pause between them. */
  adminAttempts: 4,
  adminPauseMs: 500,
  /** Difference of clocks that is reported, on top of half the round trip. */
  clockSkewMs: 1_000,
  /** Overhead of a record batch with one event over the event: header, key, record headers. */
  batchOverheadBytes: 4 * KIB,
  /** Memory of the primary, and of a worker on top of its buffer (docs/sizing.md#memory). */
  primaryBytes: 66 * MIB,
  workerBytes: 120 * MIB,
} as const;
