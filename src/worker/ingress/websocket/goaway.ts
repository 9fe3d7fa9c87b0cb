/**
 * How a connection ends in peace:
 *
 *   open ──goaway, ping──▶ leaving ──pong, or the grace is over, and all is settled──▶ Close 1012
 */
import { LIMITS } from '../../../config/limits.ts';
import type { CloseReason } from '../../../metrics/catalogue.ts';

export type GoawayReason = CloseReason & ('restart' | 'age');

/** What the ping behind a `goaway` carries: pings that keep a connection alive carry nothing. */
export const GOAWAY_PING = 'goaway';

/** The state of a connection that was told to go away. */
export class Goaway {
  readonly reason: GoawayReason;
  readonly #graceEndMs = performance.now() + LIMITS.goawayGraceMs;
  #ponged = false;

  constructor(reason: GoawayReason) {
    this.reason = reason;
  }

  /** All has come that the client sent before it heard of it, or had the time to. */
  get complete(): boolean {
    return this.#ponged || this.isGraceOver();
  }

  /** The client has answered the ping. */
  pong(): void {
    this.#ponged = true;
  }

  /** Whether its grace is over: what comes now is refused. */
  isGraceOver(nowMs = performance.now()): boolean {
    return nowMs >= this.#graceEndMs;
  }
}

/**
 * The server frame. After a restart all clients of a worker come back at once, unless they are
 * spread; ages are spread by themselves.
 */
export function goawayText(reason: GoawayReason, spreadMs: number): string {
  const reconnectMs = reason === 'age' ? 0 : Math.floor(Math.random() * (spreadMs + 1));
  return JSON.stringify({ goaway: { reason, reconnectMs } });
}

/** How old a connection may get: about `maxAgeMs`, each differently; 0 = as old as it likes. */
export function randomAge(maxAgeMs: number): number {
  if (maxAgeMs === 0) return Number.POSITIVE_INFINITY;
  return maxAgeMs * (1 + LIMITS.ageJitter * (2 * Math.random() - 1));
}
