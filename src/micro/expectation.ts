import type { EventLog } from './event-log.ts';
import { MICRO_LIMITS } from './limits.ts';

/** Number of events that a test expects since the last reset. */
export interface Expectation {
  /** Undefined = all streams together. */
  readonly stream: string | undefined;
  /** Stored events; undefined = any number. */
  readonly good: number | undefined;
  /** Rejected events; undefined = any number. */
  readonly bad: number | undefined;
  readonly withinMs: number;
}

export interface Expected {
  readonly met: boolean;
  readonly good: number;
  readonly bad: number;
  readonly waitedMs: number;
}

/** Waits until the log has exactly the expected numbers of events; for a few tests at a time. */
export class Expectations {
  readonly #log: EventLog;
  #open = 0;

  constructor(log: EventLog) {
    this.#log = log;
  }

  /** Whether another wait may begin. */
  get hasRoom(): boolean {
    return this.#open < MICRO_LIMITS.expectations;
  }

  /**
   * Waits until the numbers are reached; less if one is exceeded, since it can no longer be met, or
   * if `signal` is aborted.
   */
  async wait(expectation: Expectation, signal: AbortSignal): Promise<Expected> {
    const { good, bad, withinMs } = expectation;
    const startMs = performance.now();
    let counts = this.#counts(expectation);
    const isMet = () => (good ?? counts.good) === counts.good && (bad ?? counts.bad) === counts.bad;
    const isExceeded = () =>
      counts.good > (good ?? Number.POSITIVE_INFINITY) ||
      counts.bad > (bad ?? Number.POSITIVE_INFINITY);
    const isOver = () => isMet() || isExceeded();
    this.#open++;
    try {
      await new Promise<void>((resolve) => {
        if (isOver() || signal.aborted) return resolve();
        const end = () => {
          clearTimeout(timer);
          removeListener();
          signal.removeEventListener('abort', end);
          resolve();
        };
        const timer = setTimeout(end, withinMs);
        const removeListener = this.#log.onChange(() => {
          counts = this.#counts(expectation);
          if (isOver()) end();
        });
        signal.addEventListener('abort', end);
      });
    } finally {
      this.#open--;
    }
    return { met: isMet(), ...counts, waitedMs: Math.round(performance.now() - startMs) };
  }

  /** A dead letter is a good event of its own stream, and a copy where streams are added up. */
  #counts({ stream }: Expectation): { readonly good: number; readonly bad: number } {
    const { stored, rejected, dead_letter: letters } = this.#log.counts(stream);
    return { good: stream === undefined ? stored : stored + letters, bad: rejected };
  }
}
