/**
 * Metrics of the instance: the last report of each live worker, plus the totals of dead ones.
 *
 *   slot 1   last of worker 7                       + retired (of all before)
 *   slot 2   last of worker 2 + last of worker 8    + retired      8 replaces 2
 *
 * Monotonic values (counters, histograms) move from last to retired when a worker dies, so that the
 * sum never decreases. Gauges disappear with their worker; its events in flight become `lost`.
 */
import assert from 'node:assert/strict';
import { CATALOGUE, type SeriesName, WORKER_CAUSES } from '../metrics/catalogue.ts';
import { cellCount, firstCell, LAYOUT_CELLS, seriesOf } from '../metrics/layout.ts';

export type WorkerCause = (typeof WORKER_CAUSES)[number];

/** For each cell: whether it is monotonic; whether slots take the maximum instead of the sum. */
const isCounter = new Uint8Array(LAYOUT_CELLS);
const isMaximum = new Uint8Array(LAYOUT_CELLS);
for (const { name } of CATALOGUE) {
  const series = seriesOf(name);
  if (series.from === 'primary') continue;
  const [first, end] = [firstCell(name), firstCell(name) + cellCount(series)];
  if (series.type !== 'gauge') isCounter.fill(1, first, end);
  if (series.greatest) isMaximum.fill(1, first, end);
}

const IN_FLIGHT = firstCell('forebay_events_in_flight');

/** Contribution of one worker to the sum. */
interface Part {
  readonly slot: Slot;
  last: Float64Array;
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
  readonly #lost: Record<WorkerCause, number> = { crash: 0, hang: 0 };
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

  /** Stores a worker's report in the catalog's layout; ignores late ones of a dead worker. */
  update(worker: number, values: Float64Array): void {
    assert(values.length === LAYOUT_CELLS, 'primary and workers share one layout');
    const part = this.#workers.get(worker);
    if (part === undefined) return;
    part.last = values;
    part.atMs = this.#now();
    part.slot.atMs = part.atMs;
  }

  /**
   * Removes a dead worker: its counters stay, the events in flight in its last report are lost.
   * @returns the number of lost events
   */
  retire(worker: number, cause: WorkerCause): number {
    const part = this.#workers.get(worker);
    if (part === undefined) return 0;
    const lost = part.last[IN_FLIGHT]!;
    this.#lost[cause] += lost;
    this.#workers.delete(worker);
    part.dead = true;
    part.last = part.last.map((value, cell) => (isCounter[cell] === 1 ? value : 0));
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
    return this.#workers.get(worker)?.last[IN_FLIGHT] ?? 0;
  }

  /** Events that were in flight in workers that died. */
  lost(cause: WorkerCause): number {
    return this.#lost[cause];
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
   * received - stored - refused - dropped - lost - in flight: 0 unless events are unaccounted for.
   */
  unaccounted(): number {
    return (
      this.#sumOf('forebay_events_received_total') -
      this.#sumOf('forebay_events_stored_total') -
      this.#sumOf('forebay_events_refused_total') -
      this.#sumOf('forebay_events_dropped_total') -
      WORKER_CAUSES.reduce((sum, cause) => sum + this.#lost[cause], 0) -
      this.sum(IN_FLIGHT)
    );
  }

  #sumOf(name: SeriesName): number {
    const first = firstCell(name);
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
