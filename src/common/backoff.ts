/** Delays between retries, in ms: the first, and the maximum. */
export interface Backoff {
  readonly first: number;
  readonly last: number;
}

/** Delay after a number of consecutive failures, from 1: doubles each time. */
export function backoffMs({ first, last }: Backoff, failures: number): number {
  return Math.min(last, first * 2 ** (failures - 1));
}
