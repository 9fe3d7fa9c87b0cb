/** Waiting for conditions instead of sleeping. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Default timeout: no run that passes waits for it, and a machine may be several times slower. */
export const PATIENCE_MS = 60_000;

export interface UntilOptions {
  /** Timeout; default {@link PATIENCE_MS}. */
  readonly deadlineMs?: number;
  /** Polling interval; default 10 ms. */
  readonly everyMs?: number;
  /** Condition, for the error text. */
  readonly what?: string | (() => string);
}

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
    try {
      const found = await probe();
      if (found) return found as Truthy<T>;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= end) {
      const text = typeof what === 'function' ? what() : what;
      throw new Error(`timed out after ${deadlineMs} ms waiting for ${text}`, { cause });
    }
    await sleep(everyMs);
  }
}
