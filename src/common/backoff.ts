/** Pauses between one try and the next, in ms: the first, and the longest. */
export interface Backoff {
  readonly first: number;
  readonly last: number;
}

/** How long to wait after so many failures in a row, from 1 on: each time twice as long. */
export function backoffMs({ first, last }: Backoff, failures: number): number {
  return Math.min(last, first * 2 ** (failures - 1));
}
