import assert from 'node:assert/strict';
import type { SeriesName } from './catalogue.ts';
import {
  cellOf,
  KEY_CELLS,
  KEYS_START,
  LAYOUT_CELLS,
  STREAM_CELLS,
  STREAMS_START,
  seriesOf,
} from './layout.ts';
import { IMPLICIT_SLOTS, type MetricSlots } from './slots.ts';

/** Cells of a series by label value, looked up once at start instead of per event. */
export type Cells<L extends string> = { readonly [V in L]: number };

/** Cells of a histogram. */
export interface HistogramCells {
  readonly first: number;
  readonly bounds: readonly number[];
}

/** Metrics of one worker, as far as its slots are in use. */
export interface MetricSnapshot {
  /** Version of the slots. */
  readonly version: number;
  /** Cells that belong to no key. */
  readonly values: Float64Array;
  readonly keyValues: Float64Array;
}

/** Metrics of one worker. An increment is one addition to a typed array. */
export class Counters {
  readonly values = new Float64Array(LAYOUT_CELLS);
  #slots: MetricSlots = IMPLICIT_SLOTS;

  /** Slots in use. */
  get slots(): MetricSlots {
    return this.#slots;
  }

  /** Sets the slots in use; the names of earlier ones stay. */
  assign(slots: MetricSlots): void {
    this.#slots = slots;
  }

  /** Returns the current values. Counting continues in the same memory. */
  snapshot(): MetricSnapshot {
    const { version, streams, keys } = this.#slots;
    return {
      version,
      values: this.values.subarray(0, STREAMS_START + streams.length * STREAM_CELLS),
      keyValues: this.values.subarray(KEYS_START, KEYS_START + keys.length * KEY_CELLS),
    };
  }

  add(cell: number, amount = 1): void {
    this.values[cell]! += amount;
  }

  set(cell: number, value: number): void {
    this.values[cell] = value;
  }

  /** Sets a gauge that is lower to `value`. */
  raise(cell: number, value: number): void {
    if (this.values[cell]! < value) this.values[cell] = value;
  }

  /** Sets a gauge to 0 for every stream. */
  clearStreams(cell: number): void {
    const end = this.#slots.streams.length * STREAM_CELLS;
    for (let cells = 0; cells < end; cells += STREAM_CELLS) this.values[cell + cells] = 0;
  }

  /**
   * Counts `value` in a histogram `times` times.
   * @param cells offset of a stream's cells
   */
  observe(histogram: HistogramCells, value: number, times = 1, cells = 0): void {
    const { bounds } = histogram;
    const first = histogram.first + cells;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
    this.values[first + bucket]! += times;
    this.values[first + bounds.length + 1]! += value * times;
  }
}

/** Returns the single cell of a series without labels; with slots, that of the first. */
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
  const values = labelValue === undefined ? [] : [labelValue];
  return { first: cellOf(name, ...values), bounds: seriesOf(name).buckets ?? [] };
}
