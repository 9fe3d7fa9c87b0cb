/** Rows of the senders: totals of their API keys, rates of the last seconds, and their limits. */
import type { KeyEntry } from '../../api-keys/format.ts';
import { LIMITS } from '../../config/limits.ts';
import { KEY_RESULTS } from '../../metrics/labels.ts';
import { cellOf, firstCell, KEY_CELLS } from '../../metrics/layout.ts';
import type { MetricTotals } from '../metric-totals.ts';

/** An API key with series; `jwt` and `other` are all tokens, and all keys without series. */
export interface SenderInfo {
  readonly name: string;
  /** Slot of its series. */
  readonly slot: number;
  /** Its rate limit on each worker; undefined = none. */
  readonly eventsPerSecond: number | undefined;
}

/** Current values of a sender. */
export interface SenderRow {
  readonly name: string;
  /** Events per second. */
  readonly stored: number;
  readonly refused: number;
  readonly dropped: number;
  readonly bytesPerSecond: number;
  /** Since the start. */
  readonly storedTotal: number;
  readonly refusedTotal: number;
  /** Share of its rate limit on the worker where it sends most; undefined = it has no limit. */
  readonly limitShare: number | undefined;
}

const EVENTS = KEY_RESULTS.map((result) => cellOf('forebay_key_events_total', result));
const BYTES = firstCell('forebay_key_bytes_total');
/** Counters of a sender: its results, then bytes. */
const CELLS = [...EVENTS, BYTES];

interface Sample {
  readonly atMs: number;
  readonly counts: readonly number[];
  /** Events by worker slot. */
  readonly events: readonly number[];
}

/**
 * Returns the API keys with series, and their rate limits.
 * @param slots those of the series
 * @param keys those of the key file; undefined = none
 */
export function sendersOf(
  slots: readonly Pick<SenderInfo, 'name' | 'slot'>[],
  keys: readonly Pick<KeyEntry, 'name' | 'rate'>[] = [],
): SenderInfo[] {
  const rates = new Map(keys.map(({ name, rate }) => [name, rate?.eventsPerSecond]));
  return slots.map((key) => ({ ...key, eventsPerSecond: rates.get(key.name) }));
}

export class SenderRows {
  readonly #totals: MetricTotals;
  readonly #infos: () => readonly SenderInfo[];
  /** The last samples by slot, oldest first. */
  readonly #samples = new Map<number, Sample[]>();

  constructor(totals: MetricTotals, infos: () => readonly SenderInfo[]) {
    this.#totals = totals;
    this.#infos = infos;
  }

  /** @param atMs of a monotonic clock */
  sample(atMs: number): void {
    const totals = this.#totals;
    for (const { slot } of this.#infos()) {
      const samples = this.#samples.get(slot) ?? [];
      this.#samples.set(slot, samples);
      const offset = slot * KEY_CELLS;
      const counts = CELLS.map((cell) => totals.sum(cell + offset));
      const events = Array.from({ length: totals.slots }, (_, worker) =>
        EVENTS.reduce((sum, cell) => sum + totals.at(worker + 1, cell + offset), 0),
      );
      samples.push({ atMs, counts, events });
      if (samples.length > LIMITS.liveView.samples + 1) samples.shift();
    }
  }

  /** Returns a row per sender of events: those nearest to their limit first, then the busiest. */
  rows(): SenderRow[] {
    const rows = this.#infos().flatMap((info) => {
      const samples = this.#samples.get(info.slot);
      const [first, last] = [samples?.[0], samples?.at(-1)];
      if (first === undefined || last === undefined) return [];
      return last.counts.some((count) => count > 0) ? [rowOf(info, first, last)] : [];
    });
    const busy = (row: SenderRow) => row.stored + row.refused + row.dropped;
    return rows
      .sort((a, b) => (b.limitShare ?? 0) - (a.limitShare ?? 0) || busy(b) - busy(a))
      .slice(0, LIMITS.liveView.senders);
  }
}

function rowOf({ name, eventsPerSecond }: SenderInfo, first: Sample, last: Sample): SenderRow {
  const seconds = Math.max(LIMITS.liveView.everyMs, last.atMs - first.atMs) / 1000;
  const [stored = 0, refused = 0, dropped = 0, bytesPerSecond = 0] = last.counts.map(
    (count, index) => (count - first.counts[index]!) / seconds,
  );
  // A worker that was replaced begins at 0.
  const busiest = Math.max(
    0,
    ...last.events.map((events, worker) => (events - first.events[worker]!) / seconds),
  );
  return {
    name,
    ...{ stored, refused, dropped, bytesPerSecond },
    storedTotal: last.counts[0]!,
    refusedTotal: last.counts[1]! + last.counts[2]!,
    limitShare: eventsPerSecond === undefined ? undefined : busiest / eventsPerSecond,
  };
}
