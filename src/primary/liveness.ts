/**
 * Finds workers that hang: nothing was heard of them for too long. It counts looks, not time: after
 * a stall or a suspension of the primary one look comes, and then what the kernel has kept.
 */
import assert from 'node:assert/strict';
import { LIMITS } from '../config/limits.ts';

interface Silence {
  /** Looks since the last word. */
  looks: number;
  /** It has said something since its fork. */
  spoken: boolean;
}

export class HangWatch {
  readonly #everyMs: number;
  readonly #hangs: (worker: number) => void;
  readonly #silences = new Map<number, Silence>();
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param timeoutMs silence that is too long; for a worker that starts, `LIMITS.startTimeouts`
   * times that
   * @param hangs called once for a worker that hangs
   */
  constructor(timeoutMs: number, hangs: (worker: number) => void) {
    this.#everyMs = timeoutMs / LIMITS.workerLooks;
    this.#hangs = hangs;
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), this.#everyMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  begin(worker: number): void {
    assert(!this.#silences.has(worker), `worker ${worker} began before`);
    this.#silences.set(worker, { looks: 0, spoken: false });
  }

  heard(worker: number): void {
    const silence = this.#silences.get(worker);
    if (silence === undefined) return;
    silence.looks = 0;
    silence.spoken = true;
  }

  end(worker: number): void {
    this.#silences.delete(worker);
  }

  look(): void {
    const { workerLooks, startTimeouts } = LIMITS;
    for (const [worker, silence] of this.#silences) {
      silence.looks++;
      const looksMax = silence.spoken ? workerLooks : workerLooks * startTimeouts;
      if (silence.looks <= looksMax) continue;
      this.#silences.delete(worker);
      this.#hangs(worker);
    }
  }
}
