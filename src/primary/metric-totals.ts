/**
 * Metrics of the instance: the last report of each live worker, plus the totals of dead ones.
 *
 *   slot 1   last of worker 7                       + retired (of all before)
 *   slot 2   last of worker 2 + last of worker 8    + retired      8 replaces 2
 *
 * Monotonic values (counters, histograms) move from last to retired when a worker dies, so that the
 * sum never decreases. Gauges disappear with their worker; its events in flight become `lost`.
 * "Slot" means a slot of workers here; those of the layout are named by the offset of their cells.
 */
import assert from 'node:assert/strict';
import { deadLetterCodes } from '../common/errors.ts';
import { CATALOGUE, type SeriesName } from '../metrics/catalogue.ts';
import type { MetricSnapshot } from '../metrics/counters.ts';
import { WORKER_CAUSES } from '../metrics/labels.ts';
import {
  cellCount,
  cellOf,
  firstCell,
  KEYS_START,
  LAYOUT_CELLS,
  STREAM_CELLS,
  STREAM_SLOTS,
  STREAMS_START,
  seriesOf,
  slotDistances,
} from '../metrics/layout.ts';

export type WorkerCause = (typeof WORKER_CAUSES)[number];

/** For each cell: whether it is monotonic; whether slots take the maximum instead of the sum. */
const isCounter = new Uint8Array(LAYOUT_CELLS);
const isMaximum = new Uint8Array(LAYOUT_CELLS);
for (const { name } of CATALOGUE) {
  const series = seriesOf(name);
  if (series.from === 'primary') continue;
  for (const distance of slotDistances(series)) {
    const first = firstCell(name) + distance;
    const end = first + cellCount(series);
    if (series.type !== 'gauge') isCounter.fill(1, first, end);
    if (series.greatest) isMaximum.fill(1, first, end);
  }
}

const IN_FLIGHT = firstCell('forebay_events_in_flight');
/** Cells of the dead letters of each code in the first slot. */
const DEAD_LETTERS = deadLetterCodes.map((code) => ({
  attempted: cellOf('forebay_dead_letters_attempted_total', code),
  written: cellOf('forebay_dead_letters_total', code, 'written'),
  dropped: cellOf('forebay_dead_letters_total', code, 'dropped'),
  lost: cellOf('forebay_dead_letters_total', code, 'lost'),
}));

/** Contribution of one worker to the sum. */
interface Part {
  readonly slot: Slot;
  readonly last: Float64Array;
  /** Time of the last report, by the clock; undefined = none yet. */
  atMs: number | undefined;
  dead: boolean;
}

interface Slot {
  /** Live workers in the order of their start, and dead ones between them. */
  readonly parts: Part[];
  readonly retired: Float64Array;
  /** Time of the last report of any worker. */
  atMs: number;
}

export class MetricTotals {
  readonly #slots: readonly Slot[];
  /** Live workers, by id; late reports of others are ignored. */
  readonly #workers = new Map<number, Part>();
  /** By stream. */
  readonly #lost: Record<WorkerCause, Float64Array> = {
    crash: new Float64Array(STREAM_SLOTS),
    hang: new Float64Array(STREAM_SLOTS),
  };
  #streams = 1;
  readonly #now: () => number;

  /**
   * @param slots number of slots; they are numbered from 1
   * @param now a clock in milliseconds
   */
  constructor(slots: number, now: () => number = () => performance.now()) {
    assert(slots >= 1, 'at least one worker');
    this.#now = now;
    this.#slots = Array.from({ length: slots }, () => ({
      parts: [],
      retired: new Float64Array(LAYOUT_CELLS),
      atMs: now(),
    }));
  }

  /** Number of slots. */
  get slots(): number {
    return this.#slots.length;
  }

  /** Adds a worker to a slot; its id was never used before. */
  begin(slot: number, worker: number): void {
    assert(!this.#workers.has(worker), `worker ${worker} already exists`);
    const place = this.#slot(slot);
    const last = new Float64Array(LAYOUT_CELLS);
    const part: Part = { slot: place, last, atMs: undefined, dead: false };
    place.parts.push(part);
    this.#workers.set(worker, part);
  }

  /** Number of stream slots in use. */
  get streams(): number {
    return this.#streams;
  }

  /** Stores a worker's report in the catalog's layout; ignores late ones of a dead worker. */
  update(worker: number, { values, keyValues }: MetricSnapshot): void {
    const streams = (values.length - STREAMS_START) / STREAM_CELLS;
    assert(Number.isInteger(streams) && streams >= 1, 'primary and workers share one layout');
    const part = this.#workers.get(worker);
    if (part === undefined) return;
    part.last.set(values);
    part.last.set(keyValues, KEYS_START);
    this.#streams = Math.max(this.#streams, streams);
    part.atMs = this.#now();
    part.slot.atMs = part.atMs;
  }

  /**
   * Removes a dead worker: its counters stay, the events and dead letters in flight in its last
   * report are lost.
   * @returns the number of lost events
   */
  retire(worker: number, cause: WorkerCause): number {
    const part = this.#workers.get(worker);
    if (part === undefined) return 0;
    const lost = this.inFlight(worker);
    for (let stream = 0; stream < this.#streams; stream++) {
      this.#lost[cause][stream]! += part.last[IN_FLIGHT + stream * STREAM_CELLS]!;
    }
    for (let distance = 0; distance < this.#streams * STREAM_CELLS; distance += STREAM_CELLS) {
      loseDeadLetters(part.last, distance);
    }
    this.#workers.delete(worker);
    part.dead = true;
    for (let cell = 0; cell < LAYOUT_CELLS; cell++) if (isCounter[cell] === 0) part.last[cell] = 0;
    fold(part.slot);
    return lost;
  }

  /** Sum of one cell over all slots. */
  sum(cell: number): number {
    let total = 0;
    for (const slot of this.#slots) total += sumOf(slot, cell);
    return total;
  }

  /**
   * One cell of one slot: the sum over its live workers, and over all previous ones if the cell is
   * monotonic; the maximum if the cell is declared so.
   */
  at(slot: number, cell: number): number {
    const place = this.#slot(slot);
    if (isMaximum[cell] === 1) return Math.max(0, ...place.parts.map(({ last }) => last[cell]!));
    return sumOf(place, cell);
  }

  /** Time of a slot's last report, in milliseconds of the clock; its start before the first one. */
  reportedAtMs(slot: number): number {
    return this.#slot(slot).atMs;
  }

  /** Events in flight in a worker, by its last report. */
  inFlight(worker: number): number {
    const last = this.#workers.get(worker)?.last;
    let sum = 0;
    for (let stream = 0; last !== undefined && stream < this.#streams; stream++) {
      sum += last[IN_FLIGHT + stream * STREAM_CELLS]!;
    }
    return sum;
  }

  /** Events of a stream, or of all, that were in flight in workers that died. */
  lost(cause: WorkerCause, stream?: number): number {
    if (stream !== undefined) return this.#lost[cause][stream]!;
    return this.#lost[cause].reduce((sum, lost) => sum + lost, 0);
  }

  /**
   * Age of a slot's oldest current report: that of the worker silent longest. Without a report of a
   * live worker, the time since the last report of its predecessors, or since the start.
   */
  ageSeconds(slot: number): number {
    const place = this.#slot(slot);
    const spoken = place.parts.flatMap(({ atMs, dead }) => (dead ? [] : (atMs ?? [])));
    const sinceMs = spoken.length > 0 ? Math.min(...spoken) : place.atMs;
    return (this.#now() - sinceMs) / 1000;
  }

  /**
   * received - stored - refused - dropped - lost - in flight of a stream: 0 unless events are
   * unaccounted for.
   */
  unaccountedOf(stream: number): number {
    return (
      this.#sumOf('forebay_events_received_total', stream) -
      this.#sumOf('forebay_events_stored_total', stream) -
      this.#sumOf('forebay_events_refused_total', stream) -
      this.#sumOf('forebay_events_dropped_total', stream) -
      WORKER_CAUSES.reduce((sum, cause) => sum + this.lost(cause, stream), 0) -
      this.#sumOf('forebay_events_in_flight', stream)
    );
  }

  /**
   * Unaccounted events of all streams. Events that count for the wrong stream add up to 0: then
   * those of the first stream concerned.
   */
  unaccounted(): number {
    const each = Array.from({ length: this.#streams }, (_, stream) => this.unaccountedOf(stream));
    return each.reduce((sum, one) => sum + one, 0) || (each.find((one) => one !== 0) ?? 0);
  }

  #sumOf(name: SeriesName, stream: number): number {
    const first = firstCell(name) + stream * STREAM_CELLS;
    const end = first + cellCount(seriesOf(name));
    let total = 0;
    for (let cell = first; cell < end; cell++) total += this.sum(cell);
    return total;
  }

  #slot(slot: number): Slot {
    const place = this.#slots[slot - 1];
    assert(place !== undefined, `unknown slot ${slot}`);
    return place;
  }
}

/** Counts the dead letters of a stream that have no result as lost. */
function loseDeadLetters(last: Float64Array, distance: number): void {
  for (const { attempted, written, dropped, lost } of DEAD_LETTERS) {
    const ended = last[written + distance]! + last[dropped + distance]! + last[lost + distance]!;
    last[lost + distance]! += last[attempted + distance]! - ended;
  }
}

/**
 * Adds the totals of dead workers to `retired`, in the order of their start: sums are then always
 * computed in one order. In another order they could differ by a rounding error, and a counter that
 * decreases, however little, looks like a restart to Prometheus.
 */
function fold({ parts, retired }: Slot): void {
  while (parts[0]?.dead) {
    const { last } = parts.shift()!;
    for (let cell = 0; cell < LAYOUT_CELLS; cell++) retired[cell]! += last[cell]!;
  }
}

function sumOf({ parts, retired }: Slot, cell: number): number {
  return parts.reduce((sum, { last }) => sum + last[cell]!, retired[cell]!);
}
