/** Frees memory that senders of incomplete input hold, when a worker is short of it. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { LIMITS } from '../../config/limits.ts';
import type { InputMemory } from './input-memory.ts';
import type { MemoryReclaimer } from './memory-limit.ts';

/** Connections that may hold a part of a message. */
export interface SilentConnections {
  /**
   * Ends those that could hold `bytes` together, if each held its longest message.
   * @returns how many
   */
  closeSilent(bytes: number): number;
}

/**
 * Ends senders of incomplete input: bodies first, whose memory is known, then WebSockets. What a
 * WebSocket holds of a message is known to uWebSockets.js alone. It can be no more than what the
 * process has beyond its heap and its buffers: where that is little, no WebSocket is ended for it.
 */
export class Eviction implements MemoryReclaimer {
  readonly #input: InputMemory;
  readonly #connections: SilentConnections;
  readonly #usage: () => NodeJS.MemoryUsage;
  readonly #collect: () => void;
  /** Bytes that are none of the heap and of buffers, before there was a client. */
  readonly #ownBytes: number;
  #collectedAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    input: InputMemory,
    connections: SilentConnections,
    usage: () => NodeJS.MemoryUsage = process.memoryUsage,
    collect: () => void = collectGarbage(),
  ) {
    this.#input = input;
    this.#connections = connections;
    this.#usage = usage;
    this.#collect = collect;
    this.#ownBytes = otherBytes(usage());
  }

  reclaim(bytes: number): number {
    const { evicted, bytes: before } = this.#input;
    this.#input.evictDownTo(Math.max(0, before - bytes));
    const left = bytes - (before - this.#input.bytes);
    let ended = this.#input.evicted - evicted;
    const unknown = otherBytes(this.#usage()) - this.#ownBytes - LIMITS.memoryMark.ownGrowthBytes;
    if (left > 0 && unknown > 0) ended += this.#connections.closeSilent(left);
    if (unknown < bytes) this.#collectGarbage();
    return ended;
  }

  /** V8 frees the memory of bodies that have ended when it has cause to, maybe much later. */
  #collectGarbage(): void {
    const nowMs = performance.now();
    if (nowMs - this.#collectedAtMs < LIMITS.memoryMark.collectMs) return;
    this.#collectedAtMs = nowMs;
    this.#collect();
  }
}

function otherBytes({ rss, heapTotal, external }: NodeJS.MemoryUsage): number {
  return rss - heapTotal - external;
}

/** Node.js offers it only where it was started so. */
function collectGarbage(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
