/** Memory for input that is not handed on yet, bounded for a whole worker. */
import assert from 'node:assert/strict';

/** Memory that one sender's input takes. */
export interface Allocation {
  /** Bytes that are charged for it now; 0 once it is released or evicted. */
  readonly bytes: number;
  /**
   * Charges `bytes` in all, instead of those before. May evict any holders, this one included:
   * whoever calls it looks afterwards whether its own `evict` was called.
   */
  resize(bytes: number): void;
  /** Is charged as before, but never evicted from now on: its input is being handed on. */
  pin(): void;
  /** Charges nothing from now on. A second call has no effect. */
  release(): void;
}

/** A holding in its list. */
class ListedAllocation implements Allocation {
  bytes = 0;
  /** When it came into its list, by the clock. */
  sinceMs = 0;
  older: ListedAllocation | undefined;
  newer: ListedAllocation | undefined;
  released = false;
  pinned = false;
  readonly evict: () => void;
  readonly #memory: InputMemory;

  constructor(memory: InputMemory, evict: () => void) {
    this.#memory = memory;
    this.evict = evict;
  }

  resize(bytes: number): void {
    this.#memory.charge(this, bytes);
  }

  pin(): void {
    const { bytes } = this;
    this.#memory.charge(this, 0);
    this.pinned = true;
    this.#memory.charge(this, bytes);
  }

  release(): void {
    this.#memory.charge(this, 0);
    this.released = true;
  }
}

/** Holders of about the same size, in the order in which they came to it. */
interface SizeList {
  oldest: ListedAllocation | undefined;
  newest: ListedAllocation | undefined;
}

/** In the place of a list's index: holders of nothing, and those that are pinned, have none. */
const UNLISTED = -1;
/** Time that counts even for a holder that has just come: of two such the larger one goes first. */
const LEAST_MS = 1;

/**
 * One bound for all input of a worker that is not handed on: bodies and messages that are not
 * complete, or that wait to be decompressed or decoded. Beyond it, the holders that have cost most
 * are evicted until the others fit. A holder's cost is its bytes times the time since it came to
 * about that size: large and old ones go first, and a large body that arrives at once does not give
 * way to many small ones that have waited for long.
 *
 * Holders are kept in a list for each power of two. So a chunk costs the same however many holders
 * there are, and an eviction compares the oldest holder of each list.
 */
export class InputMemory {
  readonly limitBytes: number;
  readonly #clock: () => number;
  /** By the binary logarithm of the bytes, rounded down. */
  readonly #lists: SizeList[] = [];
  #bytes = 0;
  #evicted = 0;

  /** @param clock of monotonic ms */
  constructor(limitBytes: number, clock: () => number = () => performance.now()) {
    assert(limitBytes > 0, 'a limit of nothing would take no input');
    this.limitBytes = limitBytes;
    this.#clock = clock;
  }

  /** Bytes charged for all holders. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Holders that were evicted since the start. */
  get evicted(): number {
    return this.#evicted;
  }

  /**
   * Adds a holder of 0 bytes.
   * @param evict frees the memory and answers its sender; called up to once, after the release
   */
  allocate(evict: () => void): Allocation {
    return new ListedAllocation(this, evict);
  }

  /** Evicts the holders that cost most, until up to `bytes` are charged or the others are pinned. */
  evictDownTo(bytes: number): void {
    while (this.#bytes > bytes) {
      const allocation = this.#costliest();
      if (allocation === undefined) return;
      allocation.release();
      this.#evicted++;
      allocation.evict();
    }
  }

  /** Charges `bytes` for a holder of this memory. */
  charge(allocation: ListedAllocation, bytes: number): void {
    assert(bytes >= 0, 'memory has no negative size');
    if (allocation.released || bytes === allocation.bytes) return;
    const grows = bytes > allocation.bytes;
    const before = allocation.pinned ? UNLISTED : sizeOf(allocation.bytes);
    const now = allocation.pinned ? UNLISTED : sizeOf(bytes);
    if (before !== now && before !== UNLISTED) this.#unlink(allocation, before);
    this.#bytes += bytes - allocation.bytes;
    allocation.bytes = bytes;
    if (before !== now && now !== UNLISTED) this.#append(allocation, now);
    // Not for a release: the one of an evicted holder would evict the next one within, and so on.
    if (grows) this.evictDownTo(this.limitBytes);
  }

  #costliest(): ListedAllocation | undefined {
    const nowMs = this.#clock();
    let found: ListedAllocation | undefined;
    let maxCost = -1;
    for (const list of this.#lists) {
      const allocation = list?.oldest;
      if (allocation === undefined) continue;
      const cost = allocation.bytes * (nowMs - allocation.sinceMs + LEAST_MS);
      if (cost <= maxCost) continue;
      maxCost = cost;
      found = allocation;
    }
    return found;
  }

  #append(allocation: ListedAllocation, size: number): void {
    this.#lists[size] ??= { oldest: undefined, newest: undefined };
    const list = this.#lists[size];
    allocation.sinceMs = this.#clock();
    allocation.older = list.newest;
    if (list.newest === undefined) list.oldest = allocation;
    else list.newest.newer = allocation;
    list.newest = allocation;
  }

  #unlink(allocation: ListedAllocation, size: number): void {
    const list = this.#lists[size]!;
    const { older, newer } = allocation;
    if (older === undefined) list.oldest = newer;
    else older.newer = newer;
    if (newer === undefined) list.newest = older;
    else newer.older = older;
    allocation.older = undefined;
    allocation.newer = undefined;
  }
}

/** Returns the index of the list for so many bytes. */
function sizeOf(bytes: number): number {
  return bytes === 0 ? UNLISTED : Math.floor(Math.log2(bytes));
}
