/**
 * Layout of a worker's metrics in its Float64Array:
 *
 *   counter, gauge   one cell
 *   histogram        a cell per bucket (not cumulative, the last is +Inf), then the sum
 *
 * A series with a label has these cells for each label value, in the catalogue's order.
 */
import assert from 'node:assert/strict';
import { CATALOGUE, type SeriesName } from './catalogue.ts';
import type { Series } from './series.ts';

const start = new Map<string, number>();
let cells = 0;
for (const series of CATALOGUE as readonly Series[]) {
  if (series.from === 'primary') continue;
  start.set(series.name, cells);
  cells += cellCount(series);
}

/** Total number of cells. */
export const LAYOUT_CELLS = cells;

/** Returns the number of cells of `series`. */
export function cellCount(series: Series): number {
  return cellWidth(series) * (series.label?.values.length ?? 1);
}

/** Returns the number of cells per label value. */
function cellWidth({ type, buckets = [] }: Series): number {
  return type === 'histogram' ? buckets.length + 2 : 1;
}

/** Returns the first cell of `name`. @throws if workers do not record that series */
export function firstCell(name: SeriesName): number {
  const cell = start.get(name);
  assert(cell !== undefined, `${name} is not recorded by workers`);
  return cell;
}

/** Returns the cell of `name` for one label value; the first one of a histogram. */
export function cellOf(name: SeriesName, labelValue?: string): number {
  const first = firstCell(name);
  if (labelValue === undefined) return first;
  const series = seriesOf(name);
  const index = series.label?.values.indexOf(labelValue) ?? -1;
  assert(index >= 0, `${name} has no label value ${labelValue}`);
  return first + index * cellWidth(series);
}

/** Returns the declaration of `name`. */
export function seriesOf(name: SeriesName): Series {
  const series = (CATALOGUE as readonly Series[]).find((candidate) => candidate.name === name);
  assert(series !== undefined, `${name} is not in the catalogue`);
  return series;
}
