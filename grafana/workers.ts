/** Dashboard of the individual workers, to find outliers. */
import { dashboardJson } from './dashboard.ts';
import { lines, numbers, type Unit } from './panels.ts';
import { bufferShare, of, rate } from './queries.ts';

const WORKER = 'worker=~"$worker"';
const HALF = { w: 12, h: 8 };

/** A line per worker. */
function perWorker(
  title: string,
  description: string,
  unit: Unit,
  expr: string,
  more: { readonly max?: number; readonly legend?: string } = {},
) {
  const { legend = '{{instance}} worker {{worker}}', ...bound } = more;
  return lines({ title, description, unit, queries: [{ expr, legend }], ...bound }, HALF);
}

const glance = [
  numbers({
    title: 'Workers',
    description: 'Serving workers, and slots whose worker has died and is not replaced yet.',
    unit: 'short',
    queries: [
      { expr: `sum(${of('forebay_workers', 'state="ready"')})`, legend: 'ready' },
      { expr: `sum(${of('forebay_workers', 'state="dead"')})`, legend: 'dead' },
    ],
  }),
  numbers({
    title: 'Busiest worker',
    description: 'CPU time per second: 100% of a core is saturation.',
    unit: 'percentunit',
    queries: [{ expr: `max(${rate('forebay_worker_cpu_seconds_total', WORKER)})`, legend: 'CPU' }],
    steps: [
      [null, 'green'],
      [0.8, 'orange'],
      [0.95, 'red'],
    ],
  }),
  numbers({
    title: 'Fullest buffer',
    description: 'Share of FOREBAY_BUFFER_BYTES.',
    unit: 'percentunit',
    queries: [{ expr: `max(${bufferShare(WORKER)})`, legend: 'in use' }],
    steps: [
      [null, 'green'],
      [0.4, 'orange'],
      [0.8, 'red'],
    ],
  }),
  numbers({
    title: 'Oldest event',
    description: 'Age of the oldest unsettled event of any worker.',
    unit: 's',
    queries: [{ expr: `max(${of('forebay_buffer_oldest_seconds', WORKER)})`, legend: 'oldest' }],
    steps: [
      [null, 'green'],
      [5, 'orange'],
      [30, 'red'],
    ],
  }),
];

const load = {
  title: 'Load',
  panels: [
    perWorker(
      'CPU',
      'User and system time per second. The kernel distributes connections, not load: one worker ' +
        'may have the busy ones.',
      'percentunit',
      rate('forebay_worker_cpu_seconds_total', WORKER),
      { max: 1 },
    ),
    perWorker(
      'Event loop lag',
      'Maximum delay of the event loop in the last second, which all clients of this worker ' +
        'experience.',
      's',
      of('forebay_event_loop_lag_seconds', WORKER),
    ),
    perWorker(
      'Open connections',
      'WebSockets (ws) and all others (http). FOREBAY_MAX_CONNECTIONS limits the former.',
      'short',
      of('forebay_connections', WORKER),
      { legend: '{{instance}} worker {{worker}} {{transport}}' },
    ),
    perWorker(
      'Resident memory',
      'Above FOREBAY_MAX_RSS_BYTES, if set, the worker rejects new connections.',
      'bytes',
      of('forebay_worker_resident_bytes', WORKER),
    ),
    perWorker(
      'Short of memory',
      '1 while resident memory is above FOREBAY_MAX_RSS_BYTES and new connections are rejected.',
      'short',
      of('forebay_memory_short', WORKER),
      { max: 1 },
    ),
    perWorker(
      'Unfinished input',
      'Incomplete or waiting bodies, as a share of FOREBAY_MAX_INPUT_BYTES.',
      'percentunit',
      `${of('forebay_input_bytes', WORKER)} / (${of('forebay_input_limit_bytes', WORKER)} > 0)`,
      { max: 1 },
    ),
  ],
};

const buffer = {
  title: 'Buffer',
  panels: [
    perWorker(
      'Buffer in use',
      'Lanes, batches in flight and copies of requests, as a share of FOREBAY_BUFFER_BYTES.',
      'percentunit',
      bufferShare(WORKER),
      { max: 1 },
    ),
    perWorker(
      'In flight',
      'Accepted events that are not settled.',
      'short',
      `sum without (stream) (${of('forebay_events_in_flight', WORKER)})`,
    ),
    perWorker(
      'Oldest event',
      'Age of the oldest unsettled event.',
      's',
      of('forebay_buffer_oldest_seconds', WORKER),
    ),
    perWorker(
      'Age of snapshots',
      'Workers report every second; one silent for FOREBAY_WORKER_TIMEOUT_MS is killed.',
      's',
      of('forebay_worker_snapshot_age_seconds', WORKER),
    ),
  ],
};

/** grafana/dashboards/forebay-workers.json */
export function workers(): string {
  return dashboardJson({
    uid: 'forebay-workers',
    title: 'Forebay workers',
    description: 'Individual workers. A worker is a slot of an instance, numbered from 1.',
    byWorker: true,
    top: glance,
    rows: [load, buffer],
  });
}
