/**
 * Detection of unresponsive workers: no message has arrived for too long. It counts checks instead
 * of time: after a stall or suspension of the primary one check runs before the pending messages
 * arrive.
 */
import assert from 'node:assert/strict';
import { LIMITS } from '../config/limits.ts';

interface Silence {
  /** Checks since the last message. */
  checks: number;
  /** A message has arrived since the fork. */
  reported: boolean;
}

export class Liveness {
  readonly #everyMs: number;
  readonly #hangs: (worker: number) => void;
  readonly #silences = new Map<number, Silence>();
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param timeoutMs silence after which a worker counts as hung; for a starting worker it is
   * `LIMITS.startTimeouts` times that
   * @param hangs called once per hung worker
   */
  constructor(timeoutMs: number, hangs: (worker: number) => void) {
    this.#everyMs = timeoutMs / LIMITS.workerChecks;
    this.#hangs = hangs;
  }

  start(): void {
    this.#timer = setInterval(() => this.check(), this.#everyMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  begin(worker: number): void {
    assert(!this.#silences.has(worker), `worker ${worker} already exists`);
    this.#silences.set(worker, { checks: 0, reported: false });
  }

  received(worker: number): void {
    const silence = this.#silences.get(worker);
    if (silence === undefined) return;
    silence.checks = 0;
    silence.reported = true;
  }

  end(worker: number): void {
    this.#silences.delete(worker);
  }

  check(): void {
    const { workerChecks, startTimeouts } = LIMITS;
    for (const [worker, silence] of this.#silences) {
      silence.checks++;
      const checksMax = silence.reported ? workerChecks : workerChecks * startTimeouts;
      if (silence.checks <= checksMax) continue;
      this.#silences.delete(worker);
      this.#hangs(worker);
    }
  }
}
