import { performance } from 'node:perf_hooks';
import { LIMITS } from '../config/limits.ts';

/**
 * Lag of the event loop, which delays every client of the worker. Node's monitorEventLoopDelay
 * wakes an idle loop as often as a busy one, and forgets its last tick on reset, so that it misses
 * a stall during which a report is due.
 */
export class LoopLag {
  #timer: NodeJS.Timeout | undefined;
  #use = performance.eventLoopUtilization();
  #armedAtMs = 0;
  #waitMs = 0;
  #worstMs = 0;

  start(): void {
    this.#use = performance.eventLoopUtilization();
    this.#wait(LIMITS.loopCheck.idleMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Returns the maximum lag since the last call, in seconds. */
  takeSeconds(): number {
    const seconds = this.#worstMs / 1000;
    this.#worstMs = 0;
    return seconds;
  }

  #wait(ms: number): void {
    this.#waitMs = ms;
    this.#armedAtMs = performance.now();
    this.#timer = setTimeout(() => this.#measure(), ms);
  }

  #measure(): void {
    const lateMs = performance.now() - this.#armedAtMs - this.#waitMs;
    if (lateMs > this.#worstMs) this.#worstMs = lateMs;
    const use = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(use, this.#use);
    this.#use = use;
    const { busyShare, busyMs, idleMs } = LIMITS.loopCheck;
    this.#wait(utilization > busyShare ? busyMs : idleMs);
  }
}
