import { LIMITS } from '../../config/limits.ts';
import type { Logger } from '../../logging/logger.ts';
import { residentBytes } from '../resident-memory.ts';

/** Takes memory back from senders. */
export interface MemoryReclaimer {
  /** Frees about so many bytes, if that can be. @returns how many senders were ended */
  reclaim(bytes: number): number;
}

/**
 * Keeps a worker's resident memory below a mark. The buffer's bound does not see all of it: input
 * that is not complete, and what the kernel and the heap keep for connections. Above the mark,
 * senders that hold such input are ended first. Only where that was not enough at the next look are
 * newcomers rejected, until the memory is below the mark by a share.
 */
export class MemoryLimit {
  readonly #maxBytes: number;
  readonly #log: Logger;
  readonly #residentBytes: () => number | undefined;
  #reclaimer: MemoryReclaimer | undefined;
  #exceeded = false;
  /** The last look has found too much. */
  #short = false;
  /** Senders that were ended since the memory was last below the mark. */
  #ended = 0;
  /** Resident memory at the last look. */
  #lastBytes = Number.POSITIVE_INFINITY;

  /** @param maxBytes 0 = no mark */
  constructor(maxBytes: number, log: Logger, resident = residentBytes) {
    this.#maxBytes = maxBytes;
    this.#log = log;
    this.#residentBytes = resident;
  }

  /** New connections and bodies are not to be taken now. */
  get exceeded(): boolean {
    return this.#exceeded;
  }

  /** Looks at it from now on, as long as the process lives; without a mark never. */
  start(createReclaimer: () => MemoryReclaimer): void {
    if (this.#maxBytes === 0) return;
    this.#reclaimer = createReclaimer();
    setInterval(() => this.check(), LIMITS.memoryMark.lookMs);
    this.check();
  }

  check(): void {
    const resident = this.#residentBytes();
    if (resident === undefined) return;
    const resumeBytes = this.#maxBytes * LIMITS.memoryMark.resume;
    const wasShort = this.#short;
    this.#short = resident > (wasShort ? resumeBytes : this.#maxBytes);
    if (this.#short) {
      // Twice what came since the last look may come until the next one.
      const expectedBytes = 2 * Math.max(0, resident - this.#lastBytes);
      this.#ended += this.#reclaimer?.reclaim(resident - resumeBytes + expectedBytes) ?? 0;
      if (wasShort) this.#setExceeded(true, resident);
    } else if (wasShort) {
      this.#setExceeded(false, resident);
      this.#ended = 0;
    }
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
