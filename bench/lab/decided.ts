/** Counts of events decided from their bytes, and of those parsed into values first. */
import type { Gateway } from '../../testing/gateway.ts';
import type { Metrics } from '../../testing/metrics.ts';
import { reported } from '../../testing/watch.ts';
import type { Figure } from '../result.ts';

const SERIES = 'forebay_events_decided_total';

/** Events since the start of a gateway. */
export interface Decided {
  readonly bytes: number;
  readonly value: number;
}

/** Returns the counts of a scrape; undefined for a version without this metric. */
export function decidedIn(metrics: Metrics): Decided | undefined {
  const known = [...metrics.series.keys()].some((series) => series.startsWith(`${SERIES}{`));
  if (!known) return undefined;
  const of = (by: string) => metrics.value(SERIES, { by });
  return { bytes: of('bytes'), value: of('value') };
}

/** Returns the counts of all events so far; undefined for a version without this metric. */
export async function decidedBy(gateway: Gateway): Promise<Decided | undefined> {
  if (decidedIn(await gateway.metrics()) === undefined) return undefined;
  return decidedIn(await reported(gateway));
}

/** Shares of the runs of a lab, by target and load. */
export class DecidedShares {
  readonly #percents = new Map<string, number[]>();

  /**
   * Adds a run; without the metric, or without events, there is nothing to add.
   * @param name target and load
   */
  add(name: string, before: Decided | undefined, after: Decided | undefined): void {
    if (before === undefined || after === undefined) return;
    const bytes = after.bytes - before.bytes;
    const all = bytes + after.value - before.value;
    if (all === 0) return;
    const values = this.#percents.get(name) ?? [];
    values.push((bytes / all) * 100);
    this.#percents.set(name, values);
  }

  figures(): Figure[] {
    return [...this.#percents].map(([name, values]) => {
      return { name: `decided without parsing: ${name}`, unit: '%', values };
    });
  }
}
