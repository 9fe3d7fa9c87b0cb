/** Series of the processes of an instance; catalogue.ts lists all series. */
import { WORKER_CAUSES, WORKER_STATES } from './labels.ts';
import type { Series } from './series.ts';

export const PROCESS_SERIES = [
  {
    name: 'forebay_workers',
    type: 'gauge',
    unit: 'workers',
    help: 'Worker processes of the instance.',
    from: 'primary',
    label: { name: 'state', values: WORKER_STATES },
  },
  {
    name: 'forebay_worker_restarts_total',
    type: 'counter',
    unit: 'restarts',
    help: 'Workers restarted after they died.',
    from: 'primary',
    label: { name: 'cause', values: WORKER_CAUSES },
  },
  {
    name: 'forebay_worker_snapshot_age_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'Age of a worker’s last report.',
    from: 'primary',
    openLabels: ['worker'],
  },
  {
    name: 'forebay_event_loop_lag_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'Maximum event-loop lag in the second before a worker’s last report.',
    from: 'worker',
    greatest: true,
  },
  {
    name: 'forebay_worker_resident_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Resident memory.',
    from: 'worker',
  },
  {
    name: 'forebay_worker_cpu_seconds_total',
    type: 'counter',
    unit: 'seconds',
    help: 'User and system CPU time.',
    from: 'worker',
  },
  {
    name: 'forebay_draining',
    type: 'gauge',
    help: '1 while the instance drains.',
    from: 'primary',
  },
  {
    name: 'forebay_build_info',
    type: 'gauge',
    help: 'Always 1; labels give the running versions and the transport.',
    from: 'primary',
    openLabels: ['version', 'node', 'transport'],
  },
] as const satisfies readonly Series[];
