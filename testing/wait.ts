/** Waiting for conditions instead of sleeping. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Default timeout: no run that passes waits for it, and a machine may be several times slower. */
export const PATIENCE_MS = 60_000;

export interface UntilOptions {
  /** Timeout; default {@link PATIENCE_MS}. */
  readonly deadlineMs?: number;
  /** Least time between two probes; default 10 ms. */
  readonly everyMs?: number;
  /** Condition, for the error text. */
  readonly what?: string | (() => string);
}

/** Pause after a probe, in durations of it: probes of a server leave it some CPU time. */
const PAUSE_PER_PROBE = 2;
const PAUSE_MS_MAX = 100;

type Truthy<T> = Exclude<T, false | null | undefined | 0 | ''>;

/**
 * Waits until `probe` returns a truthy value, and returns it. A probe that throws counts as not
 * fulfilled; its last error becomes the cause of the failure.
 * @throws Error after the timeout
 */
export async function until<T>(
  probe: () => T | Promise<T>,
  { deadlineMs = PATIENCE_MS, everyMs = 10, what = 'the condition' }: UntilOptions = {},
): Promise<Truthy<T>> {
  const end = performance.now() + deadlineMs;
  let cause: unknown;
  for (;;) {
    const startMs = performance.now();
    try {
      const found = await probe();
      if (found) return found as Truthy<T>;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    const nowMs = performance.now();
    if (nowMs >= end) {
      const text = typeof what === 'function' ? what() : what;
      throw new Error(`timed out after ${deadlineMs} ms waiting for ${text}`, { cause });
    }
    const pauseMs = Math.min(PAUSE_PER_PROBE * (nowMs - startMs), PAUSE_MS_MAX);
    await sleep(Math.max(everyMs, pauseMs));
  }
}
