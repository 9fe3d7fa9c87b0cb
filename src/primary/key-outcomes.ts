/** Outcomes of events by API key and stream since the start: sums over the workers. */
import type { EventCode } from '../common/errors.ts';
import { LIMITS } from '../config/limits.ts';
import type { ReportedKeyOutcomes } from '../ipc.ts';

/** Events of one API key in one stream. */
export interface KeyStreamRow {
  readonly key: string;
  readonly stream: string;
  readonly stored: number;
  /** Rejected or dropped, with the codes, those with the most events first. */
  readonly rejected: number;
  readonly codes: readonly { readonly code: EventCode; readonly events: number }[];
}

interface Pair {
  readonly key: string;
  readonly stream: string;
  stored: number;
  readonly rejected: Map<EventCode, number>;
}

/** Pairs that are counted. */
export const PAIRS_MAX = 2_000;
/** Name of the key and the stream of pairs above the limit. */
export const OTHER_PAIRS = '(others)';

export class InstanceKeyOutcomes {
  readonly #pairs = new Map<string, Pair>();

  /** Adds the report of a worker; undefined = it has none. */
  update(report: ReportedKeyOutcomes | undefined): void {
    for (const { key, stream, outcome, events } of report ?? []) {
      const pair = this.#pair(key, stream);
      if (outcome === 'stored') pair.stored += events;
      else pair.rejected.set(outcome, (pair.rejected.get(outcome) ?? 0) + events);
    }
  }

  /** Returns the pairs with the most events, those with rejected events first. */
  rows(): KeyStreamRow[] {
    const rows = [...this.#pairs.values()].map(({ key, stream, stored, rejected }) => {
      const codes = [...rejected].map(([code, events]) => ({ code, events }));
      codes.sort((a, b) => b.events - a.events);
      const sum = codes.reduce((total, { events }) => total + events, 0);
      return { key, stream, stored, rejected: sum, codes };
    });
    rows.sort((a, b) => b.rejected - a.rejected || b.stored - a.stored);
    return rows.slice(0, LIMITS.liveView.senders);
  }

  #pair(key: string, stream: string): Pair {
    const name = `${key}\n${stream}`;
    const known = this.#pairs.get(name);
    if (known !== undefined) return known;
    const isFull = this.#pairs.size >= PAIRS_MAX;
    if (isFull && key !== OTHER_PAIRS) return this.#pair(OTHER_PAIRS, OTHER_PAIRS);
    const pair = { key, stream, stored: 0, rejected: new Map<EventCode, number>() };
    this.#pairs.set(name, pair);
    return pair;
  }
}
