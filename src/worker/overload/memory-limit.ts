import { LIMITS } from '../../config/limits.ts';
import type { Logger } from '../../logging/logger.ts';
import { residentBytes } from '../resident-memory.ts';

/** Reclaims memory from senders. */
export interface MemoryReclaimer {
  /** Frees about `bytes`, if possible. @returns number of senders ended */
  reclaim(bytes: number): number;
}

/**
 * Keeps a worker's resident memory below a limit. The buffer's bound does not cover all of it:
 * incomplete input, and what kernel and heap keep for connections. Above the limit, senders of
 * incomplete input are evicted first. Only if memory was above it from one periodic check to the
 * next are new connections and bodies rejected, until it is below the limit by a margin.
 */
export class MemoryLimit {
  readonly #maxBytes: number;
  readonly #log: Logger;
  readonly #residentBytes: () => number | undefined;
  #reclaimer: MemoryReclaimer | undefined;
  #exceeded = false;
  /** The last check found too much memory in use. */
  #short = false;
  /** So did a periodic check and all checks since. */
  #persistent = false;
  /** Senders ended since memory was last below the limit. */
  #ended = 0;
  /** Resident memory at the last check, and its time. */
  #lastBytes = Number.POSITIVE_INFINITY;
  #lastMs = Number.NEGATIVE_INFINITY;

  /** @param maxBytes 0 = no limit */
  constructor(maxBytes: number, log: Logger, resident = residentBytes) {
    this.#maxBytes = maxBytes;
    this.#log = log;
    this.#residentBytes = resident;
  }

  /** New connections and bodies are rejected. */
  get exceeded(): boolean {
    return this.#exceeded;
  }

  /** Checks periodically for the life of the process; without a limit, never. */
  start(createReclaimer: () => MemoryReclaimer): void {
    if (this.#maxBytes === 0) return;
    this.#reclaimer = createReclaimer();
    setInterval(() => this.check(), LIMITS.memoryLimit.checkMs);
    this.check();
  }

  check(): void {
    this.#check(true);
  }

  /**
   * Evicts senders, if necessary, after a turn with much input, which may bring hundreds of MB
   * before the next periodic check. Only periodic checks decide to reject clients: freed memory
   * takes a moment to become visible.
   */
  checkAfterTurn(): void {
    if (this.#reclaimer === undefined) return;
    if (performance.now() - this.#lastMs >= LIMITS.memoryLimit.turnCheckMs) this.#check(false);
  }

  #check(isPeriodic: boolean): void {
    const resident = this.#residentBytes();
    if (resident === undefined) return;
    this.#lastMs = performance.now();
    const resumeBytes = this.#maxBytes * LIMITS.memoryLimit.resume;
    const wasShort = this.#short;
    this.#short = resident > (wasShort ? resumeBytes : this.#maxBytes);
    if (this.#short) {
      // Twice the growth since the last check may arrive until the next one.
      const expectedBytes = 2 * Math.max(0, resident - this.#lastBytes);
      this.#ended += this.#reclaimer?.reclaim(resident - resumeBytes + expectedBytes) ?? 0;
      if (isPeriodic && this.#persistent) this.#setExceeded(true, resident);
    } else if (wasShort) {
      this.#setExceeded(false, resident);
      this.#ended = 0;
    }
    this.#persistent = this.#short && (isPeriodic || this.#persistent);
    this.#lastBytes = resident;
  }

  #setExceeded(exceeded: boolean, resident: number): void {
    if (exceeded === this.#exceeded) return;
    this.#exceeded = exceeded;
    const facts = { residentBytes: resident, maxBytes: this.#maxBytes, ended: this.#ended };
    if (exceeded) this.#log.warn(facts, 'memory above limit, rejecting connections');
    else this.#log.info(facts, 'memory below limit, accepting connections');
  }
}
