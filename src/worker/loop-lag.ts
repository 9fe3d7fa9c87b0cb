import { LIMITS } from '../limits.ts';

/**
 * How late the event loop is: what holds it is felt by every client of the worker. Node's own
 * monitorEventLoopDelay forgets with each reset when it looked last, and so a stall that a report
 * comes into.
 */
export class LoopLag {
  #timer: NodeJS.Timeout | undefined;
  #lookedAtMs = 0;
  #worstMs = 0;

  start(): void {
    this.#lookedAtMs = performance.now();
    this.#timer = setInterval(() => this.#look(), LIMITS.loopLookMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** The most that it was late since the last call, in seconds. */
  takeSeconds(): number {
    const seconds = this.#worstMs / 1000;
    this.#worstMs = 0;
    return seconds;
  }

  #look(): void {
    const nowMs = performance.now();
    const lateMs = nowMs - this.#lookedAtMs - LIMITS.loopLookMs;
    this.#lookedAtMs = nowMs;
    if (lateMs > this.#worstMs) this.#worstMs = lateMs;
  }
}
