/**
 * The instance's numbers: what the living workers said last, and what dead ones left behind.
 *
 *   slot 1   last (of the worker that has the slot now)   + retired (of all before it)
 *   slot 2   last                                         + retired
 *
 * What counts up (counters, histograms) moves from last to retired when a worker dies, so that
 * the sum never falls. What is momentary (gauges) dies with its worker; the events that were in
 * flight there become `lost`.
 */
import assert from 'node:assert/strict';
import { CATALOGUE, type SeriesName, WORKER_CAUSES } from '../metrics/catalogue.ts';
import { cellCount, firstCell, LAYOUT_CELLS, seriesOf } from '../metrics/layout.ts';

export type WorkerCause = (typeof WORKER_CAUSES)[number];

/** For each cell: does it count up? */
const countsUp = new Uint8Array(LAYOUT_CELLS);
for (const { name } of CATALOGUE) {
  const series = seriesOf(name);
  if (series.from === 'primary' || series.type === 'gauge') continue;
  countsUp.fill(1, firstCell(name), firstCell(name) + cellCount(series));
}

const IN_FLIGHT = firstCell('forebay_events_in_flight');

interface Slot {
  /** The worker that has the slot; numbers of any other are late and not taken. */
  worker: number | undefined;
  last: Float64Array;
  readonly retired: Float64Array;
  /** When the last numbers came, in milliseconds of the clock. */
  at: number;
}

export class Totals {
  readonly #slots: Slot[];
  readonly #lost: Record<WorkerCause, number> = { crash: 0, hang: 0 };
  readonly #now: () => number;

  /**
   * @param slots how many workers run side by side; slots are counted from 1
   * @param now a clock in milliseconds
   */
  constructor(slots: number, now: () => number = () => performance.now()) {
    assert(slots >= 1);
    this.#now = now;
    this.#slots = Array.from({ length: slots }, () => ({
      worker: undefined,
      last: new Float64Array(LAYOUT_CELLS),
      retired: new Float64Array(LAYOUT_CELLS),
      at: now(),
    }));
  }

  /** Workers that run side by side. */
  get slots(): number {
    return this.#slots.length;
  }

  /** A new worker, known by an id never used before, takes over a slot that is free. */
  begin(slot: number, worker: number): void {
    const place = this.#slot(slot);
    assert(place.worker === undefined, `slot ${slot} still has worker ${place.worker}`);
    place.worker = worker;
  }

  /** Takes a worker's numbers in the catalogue's layout; late ones of a dead worker are ignored. */
  take(slot: number, worker: number, values: Float64Array): void {
    assert(values.length === LAYOUT_CELLS);
    const place = this.#slot(slot);
    if (place.worker !== worker) return;
    place.last = values;
    place.at = this.#now();
  }

  /**
   * A worker is gone: what it counted stays, what was in flight in its last numbers is lost.
   * @returns the events lost
   */
  retire(slot: number, worker: number, cause: WorkerCause): number {
    const place = this.#slot(slot);
    if (place.worker !== worker) return 0;
    const lost = place.last[IN_FLIGHT]!;
    this.#lost[cause] += lost;
    for (let cell = 0; cell < LAYOUT_CELLS; cell++) {
      if (countsUp[cell] === 1) place.retired[cell]! += place.last[cell]!;
    }
    place.last = new Float64Array(LAYOUT_CELLS);
    place.worker = undefined;
    return lost;
  }

  /** One cell, all slots added up. */
  sum(cell: number): number {
    let total = 0;
    for (const { last, retired } of this.#slots) total += last[cell]! + retired[cell]!;
    return total;
  }

  /** One cell of one slot: all workers that have had it, as far as the cell counts up. */
  at(slot: number, cell: number): number {
    const { last, retired } = this.#slot(slot);
    return last[cell]! + retired[cell]!;
  }

  /** Events in flight in one slot, as of its worker's last numbers. */
  inFlight(slot: number): number {
    return this.at(slot, IN_FLIGHT);
  }

  /** Events that were in flight in workers that died. */
  lost(cause: WorkerCause): number {
    return this.#lost[cause];
  }

  /** Seconds since numbers came from the slot; since the start where none ever came. */
  ageSeconds(slot: number): number {
    return (this.#now() - this.#slot(slot).at) / 1000;
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
