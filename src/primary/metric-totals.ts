/**
 * The instance's numbers: what the living workers said last, and what dead ones left behind.
 *
 *   slot 1   last of worker 7                       + retired (of all before)
 *   slot 2   last of worker 2 + last of worker 8    + retired      8 replaces 2
 *
 * What counts up (counters, histograms) moves from last to retired when a worker dies, so that
 * the sum never falls. What is momentary (gauges) dies with its worker; the events that were in
 * flight there become `lost`.
 */
import assert from 'node:assert/strict';
import { CATALOGUE, type SeriesName, WORKER_CAUSES } from '../metrics/catalogue.ts';
import { cellCount, firstCell, LAYOUT_CELLS, seriesOf } from '../metrics/layout.ts';

export type WorkerCause = (typeof WORKER_CAUSES)[number];

/** For each cell: does it count up? Is it no amount? */
const countsUp = new Uint8Array(LAYOUT_CELLS);
const isGreatest = new Uint8Array(LAYOUT_CELLS);
for (const { name } of CATALOGUE) {
  const series = seriesOf(name);
  if (series.from === 'primary') continue;
  const [first, end] = [firstCell(name), firstCell(name) + cellCount(series)];
  if (series.type !== 'gauge') countsUp.fill(1, first, end);
  if (series.greatest) isGreatest.fill(1, first, end);
}

const IN_FLIGHT = firstCell('forebay_events_in_flight');

/** A worker's part of the sum. */
interface Part {
  readonly slot: Slot;
  last: Float64Array;
  /** When the last numbers came, by the clock; undefined = none yet. */
  atMs: number | undefined;
  dead: boolean;
}

interface Slot {
  /** Those of the living, in the order in which they began, and of dead ones between them. */
  readonly parts: Part[];
  readonly retired: Float64Array;
  /** When the last numbers of all came. */
  atMs: number;
}

export class Totals {
  readonly #slots: readonly Slot[];
  /** The living, by id; numbers of any other are late and not taken. */
  readonly #workers = new Map<number, Part>();
  readonly #lost: Record<WorkerCause, number> = { crash: 0, hang: 0 };
  readonly #now: () => number;

  /**
   * @param slots how many workers serve side by side; slots are counted from 1
   * @param now a clock in milliseconds
   */
  constructor(slots: number, now: () => number = () => performance.now()) {
    assert(slots >= 1, 'an instance has workers');
    this.#now = now;
    this.#slots = Array.from({ length: slots }, () => ({
      parts: [],
      retired: new Float64Array(LAYOUT_CELLS),
      atMs: now(),
    }));
  }

  /** Slots that there are. */
  get slots(): number {
    return this.#slots.length;
  }

  /** A new worker of a slot, known by an id never used before. */
  begin(slot: number, worker: number): void {
    assert(!this.#workers.has(worker), `worker ${worker} began before`);
    const place = this.#slot(slot);
    const last = new Float64Array(LAYOUT_CELLS);
    const part: Part = { slot: place, last, atMs: undefined, dead: false };
    place.parts.push(part);
    this.#workers.set(worker, part);
  }

  /** Takes a worker's numbers in the catalogue's layout; late ones of a dead worker are ignored. */
  take(worker: number, values: Float64Array): void {
    assert(values.length === LAYOUT_CELLS, 'primary and workers share one layout');
    const part = this.#workers.get(worker);
    if (part === undefined) return;
    part.last = values;
    part.atMs = this.#now();
    part.slot.atMs = part.atMs;
  }

  /**
   * A worker is gone: what it counted stays, what was in flight in its last numbers is lost.
   * @returns the events lost
   */
  retire(worker: number, cause: WorkerCause): number {
    const part = this.#workers.get(worker);
    if (part === undefined) return 0;
    const lost = part.last[IN_FLIGHT]!;
    this.#lost[cause] += lost;
    this.#workers.delete(worker);
    part.dead = true;
    part.last = part.last.map((value, cell) => (countsUp[cell] === 1 ? value : 0));
    fold(part.slot);
    return lost;
  }

  /** One cell, all slots added up. */
  sum(cell: number): number {
    let total = 0;
    for (const slot of this.#slots) total += sumOf(slot, cell);
    return total;
  }

  /**
   * One cell of one slot: its workers, and all before them as far as the cell counts up; the
   * greatest where the cell is no amount.
   */
  at(slot: number, cell: number): number {
    const place = this.#slot(slot);
    if (isGreatest[cell] === 1) return Math.max(0, ...place.parts.map(({ last }) => last[cell]!));
    return sumOf(place, cell);
  }

  /** When a slot's last numbers came, in milliseconds of the clock; before the first its start. */
  spokenAtMs(slot: number): number {
    return this.#slot(slot).atMs;
  }

  /** Events in flight in a worker, as of its last numbers. */
  inFlight(worker: number): number {
    return this.#workers.get(worker)?.last[IN_FLIGHT] ?? 0;
  }

  /** Events that were in flight in workers that died. */
  lost(cause: WorkerCause): number {
    return this.#lost[cause];
  }

  /**
   * Age of the oldest numbers that count in a slot: of the worker that was silent longest. Where
   * none has spoken yet, since the last word of those before, or since the start.
   */
  ageSeconds(slot: number): number {
    const place = this.#slot(slot);
    const spoken = place.parts.flatMap(({ atMs, dead }) => (dead ? [] : (atMs ?? [])));
    const sinceMs = spoken.length > 0 ? Math.min(...spoken) : place.atMs;
    return (this.#now() - sinceMs) / 1000;
  }

  /** received - stored - refused - dropped - lost - in flight: 0 unless an event was forgotten. */
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
    assert(place !== undefined, `there is no slot ${slot}`);
    return place;
  }
}

/**
 * Adds what dead workers left to `retired`, none before one that began earlier: sums are then made
 * in one order for ever. In another one they could differ by a rounding error, and a counter that
 * falls by that little is a restart to Prometheus.
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
