/**
 * Where each number of a worker stands in its Float64Array:
 *
 *   counter, gauge   one cell
 *   histogram        a cell per bucket (not cumulative, the last is +Inf), then the sum
 *
 * With a label that much for each of its values, in the catalogue's order.
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

/** Cells of a worker's numbers in all. */
export const LAYOUT_CELLS = cells;

/** How many cells `series` takes. */
export function cellCount(series: Series): number {
  return cellWidth(series) * (series.label?.values.length ?? 1);
}

/** Cells of one label value. */
function cellWidth({ type, buckets = [] }: Series): number {
  return type === 'histogram' ? buckets.length + 2 : 1;
}

/** First cell of `name`. @throws when the workers do not keep that series */
export function firstCell(name: SeriesName): number {
  const cell = start.get(name);
  assert(cell !== undefined, `${name} is not kept by the workers`);
  return cell;
}

/** The cell of `name` for one label value; of a histogram the first one. */
export function cellOf(name: SeriesName, labelValue?: string): number {
  const first = firstCell(name);
  if (labelValue === undefined) return first;
  const series = seriesOf(name);
  const index = series.label?.values.indexOf(labelValue) ?? -1;
  assert(index >= 0, `${name} has no label value ${labelValue}`);
  return first + index * cellWidth(series);
}

/** The declaration of `name`. */
export function seriesOf(name: SeriesName): Series {
  const series = (CATALOGUE as readonly Series[]).find((candidate) => candidate.name === name);
  assert(series !== undefined, `${name} is not in the catalogue`);
  return series;
}
