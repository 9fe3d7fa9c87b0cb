/** The dashboard that one opens first: it reads in the order of an event's way. */
import { dashboardJson } from './dashboard.ts';
import { buffer } from './overview/buffer.ts';
import { connections } from './overview/connections.ts';
import { events } from './overview/events.ts';
import { kafka } from './overview/kafka.ts';
import { workers } from './overview/workers.ts';
import { NONE_STORED, numbers } from './panels.ts';
import { of, quantile, sumOfRates } from './queries.ts';

const glance = [
  numbers({
    title: 'Throughput',
    description: 'Events that came, and that Kafka has confirmed. In calm times they are equal.',
    unit: 'eps',
    queries: [
      { expr: sumOfRates('forebay_events_received_total'), legend: 'received' },
      { expr: sumOfRates('forebay_events_stored_total'), legend: 'stored' },
    ],
  }),
  numbers({
    title: 'Dropped and refused',
    description:
      'Dropped: good events of plain clients that are lost, unheard. Refused: told to the ' +
      'sender, or wrong events of plain clients.',
    unit: 'eps',
    queries: [
      { expr: sumOfRates('forebay_events_dropped_total'), legend: 'dropped' },
      { expr: sumOfRates('forebay_events_refused_total'), legend: 'refused' },
    ],
    steps: [
      [null, 'green'],
      [0.001, 'orange'],
    ],
  }),
  numbers({
    title: 'Acknowledgement',
    description: 'Time from an event’s arrival until Kafka has confirmed it.',
    unit: 's',
    empty: NONE_STORED,
    queries: [
      { expr: quantile(0.5, 'forebay_ack_duration_seconds'), legend: 'p50' },
      { expr: quantile(0.99, 'forebay_ack_duration_seconds'), legend: 'p99' },
    ],
    steps: [
      [null, 'green'],
      [1, 'orange'],
      [10, 'red'],
    ],
  }),
  numbers({
    title: 'Unaccounted',
    description:
      'Events received that are neither stored, refused, dropped, lost nor in flight. Anything ' +
      'but 0 is a defect of Forebay.',
    unit: 'short',
    queries: [{ expr: `sum(abs(${of('forebay_events_unaccounted')}))`, legend: 'unaccounted' }],
    steps: [
      [null, 'green'],
      [1, 'red'],
    ],
  }),
];

/** grafana/dashboards/forebay-overview.json */
export function overview(): string {
  return dashboardJson({
    uid: 'forebay-overview',
    title: 'Forebay overview',
    description:
      'Whether events flow, whether any are lost and what holds them up; in the order of an ' +
      'event’s way: connections, buffer, Kafka, workers.',
    byWorker: false,
    top: glance,
    rows: [events, connections, buffer, kafka, workers],
  });
}
