/** How the processes are. */
import type { Row } from '../dashboard.ts';
import { lines, table } from '../panels.ts';
import { of, rate } from '../queries.ts';

export const workers: Row = {
  title: 'Workers',
  panels: [
    lines({
      title: 'Workers',
      description: 'dead: a slot whose worker has died and is not replaced yet.',
      unit: 'short',
      stacked: true,
      queries: [{ expr: `sum by (state) (${of('forebay_workers')})`, legend: '{{state}}' }],
    }),
    lines({
      title: 'Deaths',
      description: 'Workers started again after their death, in the time of one point of the line.',
      unit: 'short',
      queries: [
        {
          expr: `sum by (cause) (increase(${of('forebay_worker_restarts_total')}[$__rate_interval]))`,
          legend: '{{cause}}',
        },
      ],
    }),
    lines({
      title: 'Busiest worker',
      description: 'CPU time per second: at 100% of a core a worker has none left.',
      unit: 'percentunit',
      max: 1,
      queries: [
        {
          expr: `max by (instance) (${rate('forebay_worker_cpu_seconds_total')})`,
          legend: '{{instance}}',
        },
      ],
    }),
    lines({
      title: 'Resident memory',
      description: 'Of all workers of an instance; the primary’s is not in it.',
      unit: 'bytes',
      stacked: true,
      queries: [
        {
          expr: `sum by (instance) (${of('forebay_worker_resident_bytes')})`,
          legend: '{{instance}}',
        },
      ],
    }),
    lines({
      title: 'Event loop and snapshots',
      description:
        'The longest delay of an event loop, and the age of the oldest numbers: they come once a ' +
        'second. What is older than a few seconds is not true any more.',
      unit: 's',
      queries: [
        {
          expr: `max by (instance) (${of('forebay_worker_snapshot_age_seconds')})`,
          legend: '{{instance}}: age of numbers',
        },
        {
          expr: `max by (instance) (${of('forebay_event_loop_lag_seconds')})`,
          legend: '{{instance}}: loop lag',
        },
      ],
    }),
    lines({
      title: 'Draining',
      description: 'Instances that are on their way to stop.',
      unit: 'short',
      queries: [{ expr: `sum by (instance) (${of('forebay_draining')})`, legend: '{{instance}}' }],
    }),
    table(
      {
        title: 'What runs',
        description: 'Version of Forebay and of Node.js, per instance.',
        unit: 'short',
        queries: [
          {
            expr: `sum by (job, instance, version, node) (${of('forebay_build_info')})`,
            legend: '{{instance}}',
          },
        ],
      },
      ['job', 'instance', 'version', 'node'],
      { w: 24, h: 6 },
    ),
  ],
};
