/** Worker processes. */
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
      description: 'Workers restarted after their death, per interval of the line.',
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
      description: 'CPU time per second: 100% of a core is saturation.',
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
      description: 'Of all workers of an instance, without the primary.',
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
        'Maximum delay of an event loop, and age of the oldest snapshot. Workers report every ' +
        'second; values older than a few seconds are outdated.',
      unit: 's',
      queries: [
        {
          expr: `max by (instance) (${of('forebay_worker_snapshot_age_seconds')})`,
          legend: '{{instance}}: age of snapshot',
        },
        {
          expr: `max by (instance) (${of('forebay_event_loop_lag_seconds')})`,
          legend: '{{instance}}: loop lag',
        },
      ],
    }),
    lines({
      title: 'Draining',
      description: 'Instances that are stopping.',
      unit: 'short',
      queries: [{ expr: `sum by (instance) (${of('forebay_draining')})`, legend: '{{instance}}' }],
    }),
    table(
      {
        title: 'Versions',
        description: 'Version of Forebay and of Node.js, and the transport, per instance.',
        unit: 'short',
        queries: [
          {
            expr: `sum by (job, instance, version, node, transport) (${of('forebay_build_info')})`,
            legend: '{{instance}}',
          },
        ],
      },
      ['job', 'instance', 'version', 'node', 'transport'],
      { w: 24, h: 6 },
    ),
  ],
};
