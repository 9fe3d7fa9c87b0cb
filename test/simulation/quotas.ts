import type { VirtualClock } from './clock.ts';
import type { Report } from './report.ts';

/** Checks that no request goes to a broker while it throttles the client. */
export class Quotas {
  readonly #clock: VirtualClock;
  readonly #report: Report;
  readonly #untilMs = new Map<string, number>();

  constructor(clock: VirtualClock, report: Report) {
    this.#clock = clock;
    this.#report = report;
  }

  throttled(host: string, throttleMs: number): void {
    const untilMs = this.#clock.nowMs + throttleMs;
    this.#untilMs.set(host, Math.max(untilMs, this.#untilMs.get(host) ?? 0));
  }

  /** A request leaves for `host`. */
  begin(host: string): void {
    const leftMs = (this.#untilMs.get(host) ?? 0) - this.#clock.nowMs;
    this.#report.demand(leftMs <= 0, `${host} is sent a request ${Math.ceil(leftMs)} ms too early`);
  }
}
