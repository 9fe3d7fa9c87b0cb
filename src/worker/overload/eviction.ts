/** Eviction of senders with incomplete input when a worker is short of memory. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { LIMITS } from '../../config/limits.ts';
import type { InputMemory } from './input-memory.ts';
import type { MemoryReclaimer } from './memory-limit.ts';

/** Connections that may hold a partial message. */
export interface SilentConnections {
  /**
   * Ends connections that could hold `bytes` together, if each held its longest message.
   * @returns how many
   */
  closeSilent(bytes: number): number;
}

/**
 * Evicts senders of incomplete input: first that of known size, then WebSockets. Some transports do
 * not report the size of a partial message. It is at most the memory of the process outside heap
 * and buffers: while that is small, no WebSocket is ended for it.
 */
export class Eviction implements MemoryReclaimer {
  readonly #input: InputMemory;
  readonly #connections: SilentConnections | undefined;
  readonly #usage: () => NodeJS.MemoryUsage;
  readonly #collect: () => void;
  /** Bytes outside heap and buffers before the first client. */
  readonly #ownBytes: number;
  #collectedAtMs = Number.NEGATIVE_INFINITY;

  /** @param connections undefined = the size of partial messages is part of `input` */
  constructor(
    input: InputMemory,
    connections: SilentConnections | undefined,
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
    const { evictedBytesMin } = LIMITS.memoryLimit;
    // Queued frames of clients that send little are not the cause.
    this.#input.evictDownTo(Math.max(0, before - bytes), evictedBytesMin);
    const left = bytes - (before - this.#input.bytes);
    let ended = this.#input.evicted - evicted;
    const unknown = otherBytes(this.#usage()) - this.#ownBytes - LIMITS.memoryLimit.ownGrowthBytes;
    if (left > 0 && unknown > 0) ended += this.#connections?.closeSilent(left) ?? 0;
    if (unknown < bytes) this.#collectGarbage();
    return ended;
  }

  /** Collects garbage: V8 itself may free the memory of evicted bodies much later. */
  #collectGarbage(): void {
    const nowMs = performance.now();
    if (nowMs - this.#collectedAtMs < LIMITS.memoryLimit.collectMs) return;
    this.#collectedAtMs = nowMs;
    this.#collect();
  }
}

function otherBytes({ rss, heapTotal, external }: NodeJS.MemoryUsage): number {
  return rss - heapTotal - external;
}

/** Node.js exposes it only with a flag. */
function collectGarbage(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
