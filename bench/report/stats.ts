/** Statistics of a figure's values, one per run. */
export interface Stats {
  readonly median: number;
  readonly least: number;
  readonly greatest: number;
  /** (max - min) / median: 0.1 = all within a tenth. Infinite for a median of 0. */
  readonly spread: number;
}

/** Returns the median; the mean of the middle two for an even count. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}

/** @throws RangeError if there are no values, or one is not finite */
export function statsOf(values: readonly number[]): Stats {
  if (values.length === 0) throw new RangeError('no values');
  if (values.some((value) => !Number.isFinite(value))) throw new RangeError(`values ${values}`);
  const [least, greatest] = [Math.min(...values), Math.max(...values)];
  const middle = median(values);
  const spread = greatest === least ? 0 : (greatest - least) / Math.abs(middle);
  return { median: middle, least, greatest, spread };
}
