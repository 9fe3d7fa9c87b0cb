/** How a series is declared; catalogue.ts has them all. */

/** What its numbers are in, or what they count. */
export type Unit =
  | 'seconds'
  | 'bytes'
  | 'events'
  | 'connections'
  | 'handshakes'
  | 'requests'
  | 'errors'
  | 'resets'
  | 'lanes'
  | 'workers'
  | 'restarts';

export interface Series {
  readonly name: `forebay_${string}`;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** None = it is 0 or 1. */
  readonly unit?: Unit;
  readonly help: string;
  /** `sum`: workers are added up. `worker`: a value per worker slot. `primary`: known there only. */
  readonly from: 'sum' | 'worker' | 'primary';
  /** Of two workers in one slot the greater value counts: it is no amount. */
  readonly greatest?: true;
  readonly label?: { readonly name: string; readonly values: readonly string[] };
  /** Labels whose values are known only where it runs. */
  readonly openLabels?: readonly string[];
  /** Upper bounds of a histogram's buckets, rising, without +Inf. */
  readonly buckets?: readonly number[];
}

/** Names of the labels that an operator sees, in their order. */
export function labelNames({ from, label, openLabels = [] }: Series): string[] {
  return [...(from === 'worker' ? ['worker'] : []), ...openLabels, ...(label ? [label.name] : [])];
}
