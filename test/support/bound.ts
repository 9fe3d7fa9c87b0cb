/** Assertions on measured times, on machines that other load shares. */
import assert from 'node:assert/strict';

/** A measured value, its maximum, both of the same unit, and text for a failure. */
export interface Measured {
  readonly value: number;
  readonly most: number;
  readonly text?: string;
}

const TRIES = 3;

/**
 * Asserts that measurements stay within their maximum, once in up to three attempts: other load
 * only adds to a time, so the smallest is closest to that of the code.
 * @throws AssertionError after the last attempt
 */
export async function assertWithin(measure: () => Promise<readonly Measured[]>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const above = (await measure()).filter(({ value, most }) => value > most);
    if (above.length === 0) return;
    const failures = above.map(
      ({ value, most, text = '' }) => `${value.toFixed(1)}, maximum ${most.toFixed(1)} ${text}`,
    );
    assert(attempt < TRIES, failures.join('; '));
  }
}
