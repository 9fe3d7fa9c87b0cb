/** Samples the instance's totals once a second and derives rates, quantiles and status. */
import assert from 'node:assert/strict';
import { LIMITS } from '../../config/limits.ts';
import type { OutageNotice, Readiness } from '../../ipc.ts';
import { LANE_STATES, WORKER_CAUSES } from '../../metrics/labels.ts';
import { firstCell, STREAM_CELLS } from '../../metrics/layout.ts';
import type { KeyStreamRow } from '../key-outcomes.ts';
import type { MetricTotals, WorkerCause } from '../metric-totals.ts';
import type { RestartFailure } from '../rolling-restart.ts';
import type { StreamInfo } from '../stream-metrics.ts';
import type { WorkerState } from '../supervisor.ts';
import {
  type Cells,
  COLUMNS,
  COUNTS,
  cellsOf,
  GAUGES,
  gaugeNames,
  type Point,
  RATES,
  rateNames,
  STORED_LATE,
} from './columns.ts';
import { RecentHistogram } from './recent-histogram.ts';
import { type SenderInfo, SenderRows } from './sender-rows.ts';
import { SlotRates } from './slot-rates.ts';
import { StreamRows } from './stream-rows.ts';
import { SummaryTracker } from './summary.ts';

/** Facts that are not in the totals. */
export interface ViewFacts {
  readiness(): Readiness;
  /** The current outage of Kafka; undefined = none. */
  outage(): OutageNotice | undefined;
  /** Failure of the last rolling restart; undefined = it did not fail, or there was none. */
  restartFailure(): RestartFailure | undefined;
  /** States of each slot's workers; empty: it waits for a new one. */
  states(): readonly (readonly WorkerState[])[];
  restarts(cause: WorkerCause): number;
  /** The streams, in the order of their slots. */
  streams(): readonly StreamInfo[];
  /** API keys with series. */
  senders(): readonly SenderInfo[];
  /** Events of API keys by stream. */
  keyStreams(): readonly KeyStreamRow[];
}

const OLDEST = firstCell('forebay_buffer_oldest_seconds');
const CPU = rateNames.indexOf('cpu');
const LAG = firstCell('forebay_event_loop_lag_seconds');

export class Sampler {
  readonly #totals: MetricTotals;
  readonly #facts: ViewFacts;
  readonly #now: () => number;
  readonly #rates: readonly SlotRates[];
  readonly #ack = new RecentHistogram('forebay_ack_duration_seconds', LIMITS.liveView.samples);
  readonly #produce = new RecentHistogram(
    'forebay_produce_duration_seconds',
    LIMITS.liveView.samples,
  );
  readonly #streams: StreamRows;
  readonly #senders: SenderRows;
  readonly #summary: SummaryTracker;
  #counts: readonly number[];

  /** @param now the clock of `totals`, in milliseconds */
  constructor(totals: MetricTotals, facts: ViewFacts, now: () => number = () => performance.now()) {
    this.#totals = totals;
    this.#facts = facts;
    this.#now = now;
    this.#rates = slotsOf(totals).map(
      (slot) => new SlotRates(rateNames.length, totals.reportedAtMs(slot)),
    );
    this.#streams = new StreamRows(totals, () => facts.streams());
    this.#senders = new SenderRows(totals, () => facts.senders());
    this.#counts = this.#countAll();
    this.#summary = new SummaryTracker(this.#nowMs());
  }

  /** Values of the second that ends now. */
  point(): Point {
    const totals = this.#totals;
    for (const slot of slotsOf(totals)) {
      const values = Float64Array.from(rateNames, (name) => sumAt(totals, slot, RATES[name]));
      this.#rates[slot - 1]!.update(values, totals.reportedAtMs(slot), this.#now());
    }
    this.#ack.sample(totals);
    this.#produce.sample(totals);
    this.#streams.sample(this.#now());
    this.#senders.sample(this.#now());
    const counts = this.#countAll();
    const before = this.#counts;
    this.#counts = counts;
    const point = [
      this.#nowMs(),
      ...rateNames.map((_, index) => this.#rate(index)),
      ...[this.#ack, this.#produce].flatMap((seen) => [
        quantileMs(seen, 0.5),
        quantileMs(seen, 0.99),
      ]),
      ...gaugeNames.map((name) => sumAll(totals, GAUGES[name])),
      rounded(Math.max(...slotsOf(totals).map((slot) => oldestAt(totals, slot)))),
      totals.unaccounted(),
      ...counts.map((count, index) => count - before[index]!),
    ];
    assert(point.length === COLUMNS.length, 'each column has its number');
    const unaccounted = totals.unaccounted();
    const states = this.#facts.states();
    const outage = this.#facts.outage();
    const restartFailure = this.#facts.restartFailure();
    const readiness = this.#facts.readiness();
    this.#summary.update(point, { ...readiness, unaccounted, states, outage, restartFailure });
    return point;
  }

  /** Time of day in ms since 1970. */
  #nowMs(): number {
    return Math.round(performance.timeOrigin + this.#now());
  }

  /** Current state, and the totals since the start. */
  status() {
    const totals = this.#totals;
    const states = this.#facts.states();
    return {
      summary: this.#summary.current,
      workers: slotsOf(totals).map((slot) => this.#worker(slot, states[slot - 1] ?? [])),
      lanes: Object.fromEntries(
        LANE_STATES.map((state) => [state, sumAll(totals, cellsOf('forebay_lanes', state))]),
      ),
      streams: this.#streams.rows().map((row) => ({
        ...row,
        received: rounded(row.received),
        stored: rounded(row.stored),
        refused: rounded(row.refused),
        dropped: rounded(row.dropped),
        ackP99: row.ackP99 === undefined ? null : rounded(row.ackP99),
      })),
      senders: this.#senders.rows().map((row) => ({
        ...row,
        stored: rounded(row.stored),
        refused: rounded(row.refused),
        dropped: rounded(row.dropped),
        bytesPerSecond: rounded(row.bytesPerSecond),
        limitShare: row.limitShare === undefined ? null : rounded(row.limitShare),
      })),
      keyStreams: this.#facts.keyStreams(),
      received: sumAll(totals, RATES.received),
      stored: sumAll(totals, RATES.stored),
      storedLate: sumAll(totals, STORED_LATE),
      unaccounted: totals.unaccounted(),
      /** Keyed by column name. */
      counts: Object.fromEntries(
        COLUMNS.slice(-this.#counts.length).map((name, index) => [name, this.#counts[index]!]),
      ),
    };
  }

  #worker(slot: number, states: readonly WorkerState[]) {
    const totals = this.#totals;
    const numbers = Object.fromEntries(
      gaugeNames.map((name) => [name, sumAt(totals, slot, GAUGES[name])]),
    );
    return {
      states,
      ...numbers,
      cpu: rounded(this.#rates[slot - 1]!.perSecond[CPU]!),
      oldestSeconds: rounded(oldestAt(totals, slot)),
      lagSeconds: totals.at(slot, LAG),
      ageSeconds: rounded(totals.ageSeconds(slot)),
    };
  }

  #rate(index: number): number {
    return rounded(this.#rates.reduce((sum, { perSecond }) => sum + perSecond[index]!, 0));
  }

  /** In the order of the last columns. */
  #countAll(): number[] {
    return [
      ...[...COUNTS.values()].map((cells) => sumAll(this.#totals, cells)),
      ...WORKER_CAUSES.map((cause) => this.#totals.lost(cause)),
      ...WORKER_CAUSES.map((cause) => this.#facts.restarts(cause)),
    ];
  }
}

function slotsOf(totals: MetricTotals): number[] {
  return Array.from({ length: totals.slots }, (_, index) => index + 1);
}

/** Age of the oldest event of any stream, in seconds. */
function oldestAt(totals: MetricTotals, slot: number): number {
  let oldest = 0;
  for (let stream = 0; stream < totals.streams; stream++) {
    oldest = Math.max(oldest, totals.at(slot, OLDEST + stream * STREAM_CELLS));
  }
  return oldest;
}

function sumAt(totals: MetricTotals, slot: number, { first, count, isPerStream }: Cells): number {
  const streams = isPerStream ? totals.streams : 1;
  let sum = 0;
  for (let stream = 0; stream < streams; stream++) {
    const begin = first + stream * STREAM_CELLS;
    for (let cell = begin; cell < begin + count; cell++) sum += totals.at(slot, cell);
  }
  return sum;
}

function sumAll(totals: MetricTotals, cells: Cells): number {
  return slotsOf(totals).reduce((sum, slot) => sum + sumAt(totals, slot, cells), 0);
}

function quantileMs(seen: RecentHistogram, share: number): number | null {
  const seconds = seen.quantile(share);
  return seconds === undefined ? null : rounded(seconds * 1000);
}

/** Limits the digits: further ones are noise, and each is sent. */
function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
