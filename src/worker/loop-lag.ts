import { performance } from 'node:perf_hooks';
import { LIMITS } from '../config/limits.ts';

/**
 * How late the event loop is: what holds it is felt by every client of the worker. Node's own
 * monitorEventLoopDelay wakes an idle loop as often as a busy one, and forgets with each reset when
 * it looked last, and so a stall that a report comes into.
 */
export class LoopLag {
  #timer: NodeJS.Timeout | undefined;
  #use = performance.eventLoopUtilization();
  #lookedAtMs = 0;
  #waitMs = 0;
  #worstMs = 0;

  start(): void {
    this.#use = performance.eventLoopUtilization();
    this.#wait(LIMITS.loopLook.idleMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** The most that it was late since the last call, in seconds. */
  takeSeconds(): number {
    const seconds = this.#worstMs / 1000;
    this.#worstMs = 0;
    return seconds;
  }

  #wait(ms: number): void {
    this.#waitMs = ms;
    this.#lookedAtMs = performance.now();
    this.#timer = setTimeout(() => this.#look(), ms);
  }

  #look(): void {
    const lateMs = performance.now() - this.#lookedAtMs - this.#waitMs;
    if (lateMs > this.#worstMs) this.#worstMs = lateMs;
    const use = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(use, this.#use);
    this.#use = use;
    const { busyShare, busyMs, idleMs } = LIMITS.loopLook;
    this.#wait(utilization > busyShare ? busyMs : idleMs);
  }
}
