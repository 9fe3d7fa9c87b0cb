import { LIMITS } from '../../limits.ts';
import type { Logger } from '../../log.ts';
import { residentBytes } from '../resident-memory.ts';

/**
 * Whether a worker has more resident memory than it should. The buffer's bound does not see all of
 * it: frames and bodies that are not whole, and what the kernel and the heap keep for connections.
 */
export class MemoryMark {
  readonly #maxBytes: number;
  readonly #log: Logger;
  readonly #residentBytes: () => number | undefined;
  #over = false;

  /** @param maxBytes 0 = no mark */
  constructor(maxBytes: number, log: Logger, resident = residentBytes) {
    this.#maxBytes = maxBytes;
    this.#log = log;
    this.#residentBytes = resident;
  }

  /** New connections and bodies are not to be taken now. */
  get over(): boolean {
    return this.#over;
  }

  /** Begins to look, now and then, as long as the process lives. */
  start(): void {
    if (this.#maxBytes === 0) return;
    setInterval(() => this.look(), LIMITS.memoryMark.lookMs);
    this.look();
  }

  look(): void {
    const residentBytes = this.#residentBytes();
    if (residentBytes === undefined) return;
    const share = this.#over ? LIMITS.memoryMark.resume : 1;
    const over = residentBytes > this.#maxBytes * share;
    if (over === this.#over) return;
    this.#over = over;
    const facts = { residentBytes, maxBytes: this.#maxBytes };
    if (over) this.#log.warn(facts, 'memory is short: no new connections and bodies');
    else this.#log.info(facts, 'memory is there again: new connections and bodies are taken');
  }
}
