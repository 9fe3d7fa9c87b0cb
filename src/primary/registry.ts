/** Registry of /metrics: every series of the catalog, read from the totals at each scrape. */
import { type Metric, Registry } from 'prom-client';
import { CATALOGUE, type SeriesName, WORKER_CAUSES, WORKER_STATES } from '../metrics/catalogue.ts';
import { cellOf } from '../metrics/layout.ts';
import type { Series } from '../metrics/series.ts';
import type { MetricTotals, WorkerCause } from './metric-totals.ts';
import type { WorkerState } from './supervisor.ts';

/** Values that only the primary knows. */
export interface PrimaryFacts {
  readonly version: string;
  readonly transport: string;
  draining(): boolean;
  workers(state: WorkerState): number;
  restarts(cause: WorkerCause): number;
}

type Labels = Readonly<Record<string, string | number>>;

interface Value {
  readonly labels: Labels;
  readonly value: number;
  /** Set if it differs from the series: buckets, sum and count of a histogram. */
  readonly metricName?: string;
}

/** Creates a registry whose metrics read `totals` and `facts` at each scrape. */
export function buildRegistry(totals: MetricTotals, facts: PrimaryFacts): Registry {
  const registry = new Registry();
  for (const entry of CATALOGUE) {
    const { name, type, help } = entry;
    const read = reader(entry, name, totals, facts);
    const metric = {
      name,
      help,
      type,
      get: async () => ({ name, help, type, aggregator: 'sum', values: read() }),
    };
    // prom-client's type requires its own classes; the registry itself only calls `get`.
    registry.registerMetric(metric as unknown as Metric);
  }
  return registry;
}

function reader(
  series: Series,
  name: SeriesName,
  totals: MetricTotals,
  facts: PrimaryFacts,
): () => Value[] {
  if (series.from === 'primary') return () => primaryValues(name, totals, facts);
  const cells = cellsOf(series, name);
  if (series.from === 'worker') {
    return () =>
      cells.flatMap(({ labels, first }) =>
        perWorker(totals, (slot) => totals.at(slot, first), labels),
      );
  }
  const { buckets } = series;
  if (buckets === undefined) {
    return () => cells.map(({ labels, first }) => ({ labels, value: totals.sum(first) }));
  }
  return () =>
    cells.flatMap(({ labels, first }) => histogramValues(name, labels, buckets, first, totals));
}

/** First cell of each value of the series' label; of the series, if it has none. */
function cellsOf({ label }: Series, name: SeriesName): { labels: Labels; first: number }[] {
  if (label === undefined) return [{ labels: {}, first: cellOf(name) }];
  return label.values.map((value) => ({
    labels: { [label.name]: value },
    first: cellOf(name, value),
  }));
}

/** Series that are not reported by workers. */
function primaryValues(name: SeriesName, totals: MetricTotals, facts: PrimaryFacts): Value[] {
  switch (name) {
    case 'forebay_events_lost_total':
      return WORKER_CAUSES.map((cause) => ({ labels: { cause }, value: totals.lost(cause) }));
    case 'forebay_events_unaccounted':
      return [{ labels: {}, value: totals.unaccounted() }];
    case 'forebay_workers':
      return WORKER_STATES.map((state) => ({ labels: { state }, value: facts.workers(state) }));
    case 'forebay_worker_restarts_total':
      return WORKER_CAUSES.map((cause) => ({ labels: { cause }, value: facts.restarts(cause) }));
    case 'forebay_worker_snapshot_age_seconds':
      return perWorker(totals, (slot) => totals.ageSeconds(slot));
    case 'forebay_draining':
      return [{ labels: {}, value: facts.draining() ? 1 : 0 }];
    case 'forebay_build_info':
      return [{ labels: buildLabels(facts), value: 1 }];
    default:
      throw new Error(`no reader for ${name}`);
  }
}

function buildLabels({ version, transport }: PrimaryFacts): Labels {
  return { version, node: process.version, transport };
}

function perWorker(
  totals: MetricTotals,
  read: (slot: number) => number,
  labels: Labels = {},
): Value[] {
  return Array.from({ length: totals.slots }, (_, index) => ({
    labels: { worker: index + 1, ...labels },
    value: read(index + 1),
  }));
}

/** Converts the cells, one per bucket, to Prometheus' cumulative buckets. */
function histogramValues(
  name: string,
  labels: Labels,
  bounds: readonly number[],
  first: number,
  totals: MetricTotals,
): Value[] {
  const values: Value[] = [];
  let count = 0;
  for (const [index, le] of [...bounds, '+Inf'].entries()) {
    count += totals.sum(first + index);
    values.push({ metricName: `${name}_bucket`, labels: { le, ...labels }, value: count });
  }
  const sum = totals.sum(first + bounds.length + 1);
  values.push({ metricName: `${name}_sum`, labels, value: sum });
  values.push({ metricName: `${name}_count`, labels, value: count });
  return values;
}
