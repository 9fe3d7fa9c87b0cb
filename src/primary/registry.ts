/** Registry of /metrics: every series of the catalog, read from the totals at each scrape. */
import { type Metric, Registry } from 'prom-client';
import { CATALOGUE, type SeriesName } from '../metrics/catalogue.ts';
import { RELOAD_RESULTS, WORKER_CAUSES, WORKER_STATES } from '../metrics/labels.ts';
import { cellOf, KEY_CELLS, STREAM_CELLS, seriesOf } from '../metrics/layout.ts';
import { labelsOf, type Series, slotLabel } from '../metrics/series.ts';
import { NO_STREAM } from '../metrics/slots.ts';
import type { MetricTotals, WorkerCause } from './metric-totals.ts';
import type { RegistrySchemas } from './registry-schemas.ts';
import type { LabelSlot, SlotAssignment } from './slot-assignment.ts';
import type { StreamMetrics } from './stream-metrics.ts';
import type { WorkerState } from './supervisor.ts';

/** Values that only the primary knows. */
export interface PrimaryFacts {
  readonly version: string;
  readonly transport: string;
  draining(): boolean;
  workers(state: WorkerState): number;
  restarts(cause: WorkerCause): number;
  readonly slots: Pick<SlotAssignment, 'streams' | 'keys'>;
  readonly streams: Pick<StreamMetrics, 'version' | 'infos' | 'reloads'>;
  readonly schemas: Pick<RegistrySchemas, 'ages' | 'failures'>;
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
  const cells = () => inSlots(series, cellsOf(series, name), facts.slots);
  if (series.from === 'worker') {
    return () =>
      cells().flatMap(({ labels, first }) =>
        perWorker(totals, (slot) => totals.at(slot, first), labels),
      );
  }
  const { buckets } = series;
  if (buckets === undefined) {
    return () => cells().map(({ labels, first }) => ({ labels, value: totals.sum(first) }));
  }
  return () =>
    cells().flatMap(({ labels, first }) => histogramValues(name, labels, buckets, first, totals));
}

interface LabeledCells {
  readonly labels: Labels;
  readonly first: number;
}

/** Returns the cells of each stream or key of the series. @param cells those of the first slot */
function inSlots(
  series: Series,
  cells: readonly LabeledCells[],
  slots: PrimaryFacts['slots'],
): readonly LabeledCells[] {
  const label = slotLabel(series);
  if (label === undefined) return cells;
  const [used, width] =
    label === 'key' ? [slots.keys, KEY_CELLS] : [streamsOf(series, slots), STREAM_CELLS];
  return used.flatMap(({ name, slot }) =>
    cells.map(({ labels, first }) => ({
      labels: { [label]: name, ...labels },
      first: first + slot * width,
    })),
  );
}

/** Returns the streams that the series has values for. */
function streamsOf(
  { slots }: Series,
  { streams }: Pick<PrimaryFacts['slots'], 'streams'>,
): readonly LabelSlot[] {
  if (slots === 'stream or none') return streams;
  return streams.filter(({ name }) => name !== NO_STREAM);
}

/** First cell of each value of the series' labels; of the series, if it has none; in slot 0. */
function cellsOf(series: Series, name: SeriesName): LabeledCells[] {
  return labelsOf(series).map((labels) => ({
    labels,
    first: cellOf(name, ...Object.values(labels)),
  }));
}

/** Series that are not reported by workers. */
function primaryValues(name: SeriesName, totals: MetricTotals, facts: PrimaryFacts): Value[] {
  switch (name) {
    case 'forebay_events_lost_total':
      return streamsOf(seriesOf(name), facts.slots).flatMap(({ name: stream, slot }) =>
        WORKER_CAUSES.map((cause) => ({
          labels: { stream, cause },
          value: totals.lost(cause, slot),
        })),
      );
    case 'forebay_events_unaccounted':
      return streamsOf(seriesOf(name), facts.slots).map(({ name: stream, slot }) => ({
        labels: { stream },
        value: totals.unaccountedOf(slot),
      }));
    case 'forebay_stream_info':
      return facts.streams.infos.map((info) => ({ labels: { ...info }, value: 1 }));
    case 'forebay_streams_version':
      return [{ labels: {}, value: facts.streams.version }];
    case 'forebay_streams_reloads_total':
      return RELOAD_RESULTS.map((result) => ({
        labels: { result },
        value: facts.streams.reloads[result],
      }));
    case 'forebay_schema_registry_age_seconds':
      return facts.schemas.ages.map(({ stream, seconds }) => ({
        labels: { stream },
        value: seconds,
      }));
    case 'forebay_schema_registry_failed_requests_total':
      return [{ labels: {}, value: facts.schemas.failures }];
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
