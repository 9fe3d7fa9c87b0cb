/**
 * Graceful end of a connection:
 *
 *   open ──goaway, ping──▶ leaving ──pong or end of grace, and all settled──▶ Close 1012
 */
import { LIMITS } from '../../../config/limits.ts';
import type { CloseReason } from '../../../metrics/labels.ts';

export type GoawayReason = CloseReason & ('restart' | 'age' | 'stream');

/** Payload of the ping after a `goaway`; keep-alive pings have none. */
export const GOAWAY_PING = 'goaway';

/** State of a connection after `goaway`. */
export class Goaway {
  readonly reason: GoawayReason;
  readonly #graceEndMs = performance.now() + LIMITS.goawayGraceMs;
  #ponged = false;

  constructor(reason: GoawayReason) {
    this.reason = reason;
  }

  /** All frames sent before the client received `goaway` have arrived, or the grace is over. */
  get complete(): boolean {
    return this.#ponged || this.isGraceOver();
  }

  /** Handles the pong of the client. */
  pong(): void {
    this.#ponged = true;
  }

  /** Returns whether the grace period is over: frames from now on are rejected. */
  isGraceOver(nowMs = performance.now()): boolean {
    return nowMs >= this.#graceEndMs;
  }
}

/**
 * Returns the server frame. After a restart, all clients of a worker would reconnect at once
 * without a random delay; connection ages are random already.
 */
export function goawayText(reason: GoawayReason, spreadMs: number): string {
  const reconnectMs = reason === 'age' ? 0 : Math.floor(Math.random() * (spreadMs + 1));
  return JSON.stringify({ goaway: { reason, reconnectMs } });
}

/** Returns the maximum age of one connection: `maxAgeMs` with jitter; infinite for 0. */
export function randomAge(maxAgeMs: number): number {
  if (maxAgeMs === 0) return Number.POSITIVE_INFINITY;
  return maxAgeMs * (1 + LIMITS.ageJitter * (2 * Math.random() - 1));
}
