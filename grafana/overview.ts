/** Overview dashboard, in the order of an event's path. */
import { dashboardJson } from './dashboard.ts';
import { buffer } from './overview/buffer.ts';
import { connections } from './overview/connections.ts';
import { deadLetters } from './overview/dead-letters.ts';
import { events } from './overview/events.ts';
import { kafka } from './overview/kafka.ts';
import { streams } from './overview/streams.ts';
import { workers } from './overview/workers.ts';
import { NONE_STORED, numbers } from './panels.ts';
import { of, quantile, sumOfRates } from './queries.ts';

const glance = [
  numbers({
    title: 'Throughput',
    description: 'Events received, and events confirmed by Kafka. Equal in normal operation.',
    unit: 'eps',
    queries: [
      { expr: sumOfRates('forebay_events_received_total'), legend: 'received' },
      { expr: sumOfRates('forebay_events_stored_total'), legend: 'stored' },
    ],
  }),
  numbers({
    title: 'Dropped and refused',
    description:
      'Dropped: valid events of plain clients, lost without notice. Refused: rejected with a ' +
      'notice to the sender, or invalid events of plain clients.',
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
    description: 'Time from the arrival of an event to its confirmation by Kafka.',
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
      'Received events that are neither stored, refused, dropped, lost nor in flight. Any value ' +
      'other than 0 is a defect of Forebay.',
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
      'Throughput, loss and bottlenecks, in the order of an event’s path: connections, buffer, ' +
      'Kafka, workers. Series without a stream are of the whole instance.',
    byWorker: false,
    top: glance,
    rows: [events, streams, deadLetters, connections, buffer, kafka, workers],
  });
}
