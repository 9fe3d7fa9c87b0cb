/** What comes, and what becomes of it. */
import type { Row } from '../dashboard.ts';
import { lines } from '../panels.ts';
import { sumOfRates } from '../queries.ts';

export const events: Row = {
  title: 'Events: what comes, and what becomes of it',
  panels: [
    lines({
      title: 'Received by transport',
      description: 'Events taken from clients, good or bad.',
      unit: 'eps',
      stacked: true,
      queries: [
        {
          expr: sumOfRates('forebay_events_received_total', ['transport']),
          legend: '{{transport}}',
        },
      ],
    }),
    lines({
      title: 'Bytes received by transport',
      description: 'Bytes of the frames and bodies that events came in.',
      unit: 'Bps',
      stacked: true,
      queries: [
        {
          expr: sumOfRates('forebay_received_bytes_total', ['transport']),
          legend: '{{transport}}',
        },
      ],
    }),
    lines({
      title: 'Where events end',
      description:
        'Every event ends as one of the first four; late ones were refused or dropped as ' +
        'timeout, and Kafka confirmed them afterwards.',
      unit: 'eps',
      queries: [
        { expr: sumOfRates('forebay_events_stored_total'), legend: 'stored' },
        { expr: sumOfRates('forebay_events_refused_total'), legend: 'refused' },
        { expr: sumOfRates('forebay_events_dropped_total'), legend: 'dropped' },
        { expr: sumOfRates('forebay_events_lost_total'), legend: 'lost' },
        { expr: sumOfRates('forebay_events_stored_late_total'), legend: 'stored late' },
      ],
    }),
    lines({
      title: 'Refused by reason',
      description:
        'Codes of docs/protocol.md. Those for good are the senders’ fault; buffer_full, ' +
        'kafka_unavailable and timeout mean that Kafka does not keep up.',
      unit: 'eps',
      stacked: true,
      queries: [
        { expr: sumOfRates('forebay_events_refused_total', ['reason']), legend: '{{reason}}' },
      ],
    }),
    lines({
      title: 'Dropped by reason',
      description: 'Good events of plain clients that could not be kept: this is loss.',
      unit: 'eps',
      stacked: true,
      queries: [
        { expr: sumOfRates('forebay_events_dropped_total', ['reason']), legend: '{{reason}}' },
      ],
    }),
    lines({
      title: 'Without a key',
      description:
        'FOREBAY_KEY_FIELD is missing, null, an object or an array: stored in any partition, so ' +
        'in no order. The line “event has no key” of the log names the reason.',
      unit: 'eps',
      queries: [{ expr: sumOfRates('forebay_events_without_key_total'), legend: 'without a key' }],
    }),
    lines({
      title: 'Lost with a worker',
      description:
        'In flight in a worker that died. Clients that wait for acknowledgements send them again.',
      unit: 'eps',
      queries: [{ expr: sumOfRates('forebay_events_lost_total', ['cause']), legend: '{{cause}}' }],
    }),
  ],
};
