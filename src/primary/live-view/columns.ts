/** Columns of a data point of the live view, and their series. */
import { eventCodes, retryCodes } from '../../common/errors.ts';
import type { SeriesName } from '../../metrics/catalogue.ts';
import { PRODUCE_ERROR_CLASSES, WORKER_CAUSES } from '../../metrics/labels.ts';
import { cellCount, cellOf, firstCell, seriesOf } from '../../metrics/layout.ts';
import { slotLabel } from '../../metrics/series.ts';

/** One second's values in the order of COLUMNS; null = no value. */
export type Point = readonly (number | null)[];

/** Cells of a series that are added up, over all streams. */
export interface Cells {
  /** First cell, in the first slot. */
  readonly first: number;
  readonly count: number;
  readonly isPerStream: boolean;
}

function allOf(name: SeriesName): Cells {
  const series = seriesOf(name);
  const isPerStream = slotLabel(series) === 'stream';
  return { first: firstCell(name), count: cellCount(series), isPerStream };
}

/** Returns the cells of one label value. */
export function cellsOf(name: SeriesName, labelValue: string): Cells {
  return { ...allOf(name), first: cellOf(name, labelValue), count: 1 };
}

/** Events stored after their timeout, since the start. */
export const STORED_LATE = allOf('forebay_events_stored_late_total');

/** Counters shown as rates: a column each, per second. */
export const RATES = {
  received: allOf('forebay_events_received_total'),
  stored: allOf('forebay_events_stored_total'),
  refused: allOf('forebay_events_refused_total'),
  dropped: allOf('forebay_events_dropped_total'),
  bytes: allOf('forebay_received_bytes_total'),
  cpu: allOf('forebay_worker_cpu_seconds_total'),
} as const;
export const rateNames = Object.keys(RATES) as (keyof typeof RATES)[];

/** Gauges summed over the workers. */
export const GAUGES = {
  inFlight: allOf('forebay_events_in_flight'),
  bufferBytes: allOf('forebay_buffer_bytes'),
  bufferLimitBytes: allOf('forebay_buffer_limit_bytes'),
  connections: allOf('forebay_connections'),
  residentBytes: allOf('forebay_worker_resident_bytes'),
} as const;
export const gaugeNames = Object.keys(GAUGES) as (keyof typeof GAUGES)[];

/** Counters with their increase per second, so that the page can sum ten minutes. */
export const COUNTS: ReadonlyMap<string, Cells> = new Map([
  ...eventCodes.map(
    (code) => [`refused.${code}`, cellsOf('forebay_events_refused_total', code)] as const,
  ),
  ...retryCodes.map(
    (code) => [`dropped.${code}`, cellsOf('forebay_events_dropped_total', code)] as const,
  ),
  ...PRODUCE_ERROR_CLASSES.map(
    (name) => [`errors.${name}`, cellsOf('forebay_produce_errors_total', name)] as const,
  ),
]);

/** Names of a point's values, in order. `at` is a time of day in ms, durations are in ms. */
export const COLUMNS: readonly string[] = [
  'at',
  ...rateNames,
  'ackP50',
  'ackP99',
  'produceP50',
  'produceP99',
  ...gaugeNames,
  'oldestSeconds',
  'unaccounted',
  ...COUNTS.keys(),
  ...WORKER_CAUSES.map((cause) => `lost.${cause}`),
  ...WORKER_CAUSES.map((cause) => `restarts.${cause}`),
];
