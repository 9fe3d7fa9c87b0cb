/**
 * Layout of a worker's metrics in its Float64Array:
 *
 *   common | stream slot 0 | stream slot 1 | … | key slot 0 | key slot 1 | …
 *
 *   counter, gauge   one cell
 *   histogram        a cell per bucket (not cumulative, the last is +Inf), then the sum
 *
 * A series with a label has these cells for each label value, in the catalogue's order. A series by
 * stream or key has them in each slot: {@link cellOf} returns that of the first slot; the others
 * follow at a distance of STREAM_CELLS or KEY_CELLS. slots.ts names the slots.
 */
import assert from 'node:assert/strict';
import { LIMITS } from '../config/limits.ts';
import { CATALOGUE, type SeriesName } from './catalogue.ts';
import { labelsOf, type Series, slotLabel } from './series.ts';

/** Slots of streams, with one for events without a stream; of keys, with those for all others. */
export const STREAM_SLOTS = LIMITS.streams + 1;
export const KEY_SLOTS = LIMITS.meteredKeys + 2;

const start = new Map<string, number>();

/** Places the series with the same kind of slots. @returns the end */
function place(kind: 'stream' | 'key' | undefined, first: number): number {
  let cell = first;
  for (const series of CATALOGUE as readonly Series[]) {
    if (series.from === 'primary' || slotLabel(series) !== kind) continue;
    start.set(series.name, cell);
    cell += cellCount(series);
  }
  return cell;
}

/** First cell of the stream slots, and their distance. */
export const STREAMS_START = place(undefined, 0);
export const STREAM_CELLS = place('stream', STREAMS_START) - STREAMS_START;
/** First cell of the key slots, and their distance. */
export const KEYS_START = STREAMS_START + STREAM_SLOTS * STREAM_CELLS;
export const KEY_CELLS = place('key', KEYS_START) - KEYS_START;

/** Total number of cells. */
export const LAYOUT_CELLS = KEYS_START + KEY_SLOTS * KEY_CELLS;

/** Returns the number of cells of `series`, in each of its slots. */
export function cellCount(series: Series): number {
  return cellWidth(series) * labelsOf(series).length;
}

/** Returns the number of cells per label value. */
function cellWidth({ type, buckets = [] }: Series): number {
  return type === 'histogram' ? buckets.length + 2 : 1;
}

/** Returns the distances of the slots of `series` from the first: 0, or one for each of them. */
export function slotDistances(series: Series): number[] {
  const label = slotLabel(series);
  if (label === undefined) return [0];
  const [slots, width] = label === 'key' ? [KEY_SLOTS, KEY_CELLS] : [STREAM_SLOTS, STREAM_CELLS];
  return Array.from({ length: slots }, (_, slot) => slot * width);
}

/** Returns the first cell of `name`. @throws if workers do not record that series */
export function firstCell(name: SeriesName): number {
  const cell = start.get(name);
  assert(cell !== undefined, `${name} is not recorded by workers`);
  return cell;
}

/**
 * Returns the cell of `name` for one label value, or one value of each of its two labels; the first
 * one of a histogram.
 */
export function cellOf(name: SeriesName, ...labelValues: readonly string[]): number {
  const first = firstCell(name);
  if (labelValues.length === 0) return first;
  const series = seriesOf(name);
  const index = labelsOf(series).findIndex((labels) =>
    Object.values(labels).every((value, label) => value === labelValues[label]),
  );
  assert(index >= 0, `${name} has no label value ${labelValues.join(', ')}`);
  return first + index * cellWidth(series);
}

/** Returns the declaration of `name`. */
export function seriesOf(name: SeriesName): Series {
  const series = (CATALOGUE as readonly Series[]).find((candidate) => candidate.name === name);
  assert(series !== undefined, `${name} is not in the catalogue`);
  return series;
}
