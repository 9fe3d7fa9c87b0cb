/** Memory of input that is not fully decoded, bounded for a whole worker. */
import assert from 'node:assert/strict';

/** Memory charged to one sender's input. */
export interface Allocation {
  /** Bytes charged now; 0 once released or evicted. */
  readonly bytes: number;
  /**
   * Charges `bytes` in total, replacing the previous charge. May evict any allocations, including
   * this one: the caller checks afterwards whether its own `evict` was called.
   */
  resize(bytes: number): void;
  /** Prevents eviction from now on, with the same charge: its input is being decoded. */
  pin(): void;
  /** Ends the charge. A second call has no effect. */
  release(): void;
}

/** An allocation in its list. */
class ListedAllocation implements Allocation {
  bytes = 0;
  /** When it entered its list, by the clock. */
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

/** Allocations of about the same size, in the order in which they reached it. */
interface SizeList {
  oldest: ListedAllocation | undefined;
  newest: ListedAllocation | undefined;
}

/** Replaces a list index: empty and pinned allocations are in no list. */
const UNLISTED = -1;
/** Minimum age in the cost: of two new allocations, the larger one is evicted first. */
const MIN_AGE_MS = 1;

/**
 * One bound for all undecoded input of a worker: bodies and messages that are incomplete, or that
 * wait for decompression or decoding. Beyond it, the allocations with the highest cost are evicted
 * until the others fit. Cost is bytes times the time since the allocation reached about that size:
 * large and old ones go first, and a large body that arrives at once is not evicted in favor of
 * many small, old ones.
 *
 * Allocations are kept in one list per power of two. A chunk therefore costs the same for any
 * number of allocations, and an eviction compares the oldest allocation of each list.
 */
export class InputMemory {
  readonly limitBytes: number;
  readonly #clock: () => number;
  /** Indexed by the binary logarithm of the bytes, rounded down. */
  readonly #lists: SizeList[] = [];
  #bytes = 0;
  #evicted = 0;

  /** @param clock returns monotonic ms */
  constructor(limitBytes: number, clock: () => number = () => performance.now()) {
    assert(limitBytes > 0, 'a limit of 0 would accept no input');
    this.limitBytes = limitBytes;
    this.#clock = clock;
  }

  /** Bytes charged for all allocations. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Allocations evicted since the start. */
  get evicted(): number {
    return this.#evicted;
  }

  /**
   * Adds an allocation of 0 bytes.
   * @param evict frees the memory and responds to its sender; called up to once, after the release
   */
  allocate(evict: () => void): Allocation {
    return new ListedAllocation(this, evict);
  }

  /**
   * Evicts the most costly allocations, until up to `bytes` are charged or the others are pinned.
   * @param minBytes spares smaller allocations, rounded down to a power of two
   */
  evictDownTo(bytes: number, minBytes = 1): void {
    while (this.#bytes > bytes) {
      const allocation = this.#costliest(sizeOf(minBytes));
      if (allocation === undefined) return;
      allocation.release();
      this.#evicted++;
      allocation.evict();
    }
  }

  /** Charges `bytes` for an allocation of this memory. */
  charge(allocation: ListedAllocation, bytes: number): void {
    assert(bytes >= 0, 'an allocation has no negative size');
    if (allocation.released || bytes === allocation.bytes) return;
    const grows = bytes > allocation.bytes;
    const before = allocation.pinned ? UNLISTED : sizeOf(allocation.bytes);
    const now = allocation.pinned ? UNLISTED : sizeOf(bytes);
    if (before !== now && before !== UNLISTED) this.#unlink(allocation, before);
    this.#bytes += bytes - allocation.bytes;
    allocation.bytes = bytes;
    if (before !== now && now !== UNLISTED) this.#append(allocation, now);
    // Not for a release: releasing an evicted allocation would recursively evict the next one.
    if (grows) this.evictDownTo(this.limitBytes);
  }

  #costliest(minSize: number): ListedAllocation | undefined {
    const nowMs = this.#clock();
    let found: ListedAllocation | undefined;
    let maxCost = -1;
    for (let size = minSize; size < this.#lists.length; size++) {
      const allocation = this.#lists[size]?.oldest;
      if (allocation === undefined) continue;
      const cost = allocation.bytes * (nowMs - allocation.sinceMs + MIN_AGE_MS);
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

/** Returns the index of the list for a size. */
function sizeOf(bytes: number): number {
  return bytes === 0 ? UNLISTED : Math.floor(Math.log2(bytes));
}
