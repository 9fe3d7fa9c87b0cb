/** Waiting for a condition instead of for a time. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface UntilOptions {
  /** Gives up after so long; default 20 s. */
  readonly deadlineMs?: number;
  /** Looks again after so long; default 10 ms. */
  readonly everyMs?: number;
  /** Ends an error's text: what was waited for. */
  readonly what?: string | (() => string);
}

type Truthy<T> = Exclude<T, false | null | undefined | 0 | ''>;

/**
 * Waits until `probe` gives something truthy, and returns it. A probe that throws has not found it
 * yet; its last error becomes the cause of the failure.
 * @throws Error when the deadline passes
 */
export async function until<T>(
  probe: () => T | Promise<T>,
  { deadlineMs = 20_000, everyMs = 10, what = 'the condition' }: UntilOptions = {},
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
      throw new Error(`waited ${deadlineMs} ms in vain for ${text}`, { cause });
    }
    await sleep(everyMs);
  }
}
