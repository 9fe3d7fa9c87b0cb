import assert from 'node:assert/strict';
import type { SeriesName } from './catalogue.ts';
import { cellOf, LAYOUT_CELLS, seriesOf } from './layout.ts';

/** Cells of a series by label value, looked up once at start instead of per event. */
export type Cells<L extends string> = { readonly [V in L]: number };

/** Cells of a histogram. */
export interface HistogramCells {
  readonly first: number;
  readonly bounds: readonly number[];
}

/** Metrics of one worker. An increment is one addition to a typed array. */
export class Counters {
  readonly values = new Float64Array(LAYOUT_CELLS);

  add(cell: number, amount = 1): void {
    this.values[cell]! += amount;
  }

  set(cell: number, value: number): void {
    this.values[cell] = value;
  }

  /** Counts `value` in a histogram `times` times. */
  observe(histogram: HistogramCells, value: number, times = 1): void {
    const { bounds, first } = histogram;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
    this.values[first + bucket]! += times;
    this.values[first + bounds.length + 1]! += value * times;
  }
}

/** Returns the single cell of a series without labels. */
export function cell(name: SeriesName): number {
  assert(seriesOf(name).label === undefined, `${name} has labels`);
  return cellOf(name);
}

/** Returns the cells of a series by label value. */
export function cells<L extends string>(name: SeriesName, values: readonly L[]): Cells<L> {
  return Object.fromEntries(values.map((value) => [value, cellOf(name, value)])) as Cells<L>;
}

/** Returns a histogram's cells, for one label value if it has a label. */
export function histogram(name: SeriesName, labelValue?: string): HistogramCells {
  return { first: cellOf(name, labelValue), bounds: seriesOf(name).buckets ?? [] };
}
