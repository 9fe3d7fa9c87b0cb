/** Received events and their results. */
import type { Row } from '../dashboard.ts';
import { lines } from '../panels.ts';
import { sumOfRates } from '../queries.ts';

export const events: Row = {
  title: 'Events: received, and their results',
  panels: [
    lines({
      title: 'Received by transport',
      description: 'Events received from clients, valid or not.',
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
      description: 'Bytes of the frames and bodies with events.',
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
      title: 'Checked by their bytes, or parsed',
      description:
        'Events that were checked and routed by their bytes alone, and events that were parsed ' +
        'into a value first, which takes several times as long. The log names the parts of a ' +
        'schema that need a value.',
      unit: 'eps',
      stacked: true,
      queries: [{ expr: sumOfRates('forebay_events_decided_total', ['by']), legend: '{{by}}' }],
    }),
    lines({
      title: 'Results of events',
      description:
        'Every event ends as one of the first four; late ones were refused or dropped as timeout ' +
        'and confirmed by Kafka afterwards.',
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
        'Codes of docs/protocol.md. Permanent ones are caused by senders; buffer_full, ' +
        'kafka_unavailable and timeout mean that Kafka does not keep up.',
      unit: 'eps',
      stacked: true,
      queries: [
        { expr: sumOfRates('forebay_events_refused_total', ['reason']), legend: '{{reason}}' },
      ],
    }),
    lines({
      title: 'Dropped by reason',
      description: 'Events of plain clients that could not be buffered: this is loss.',
      unit: 'eps',
      stacked: true,
      queries: [
        { expr: sumOfRates('forebay_events_dropped_total', ['reason']), legend: '{{reason}}' },
      ],
    }),
    lines({
      title: 'Without a key',
      description:
        'FOREBAY_KEY_FIELD is missing, null, an object or an array: stored in any partition, ' +
        'without order. The log line “event has no key” gives the reason.',
      unit: 'eps',
      queries: [{ expr: sumOfRates('forebay_events_without_key_total'), legend: 'without a key' }],
    }),
    lines({
      title: 'Dry runs',
      description: 'Events of POST /events?dryRun=1, which are not stored, by result.',
      unit: 'eps',
      queries: [
        { expr: sumOfRates('forebay_dry_run_events_total', ['result']), legend: '{{result}}' },
      ],
    }),
    lines({
      title: 'Events by API key',
      description:
        'Results of the events of each key; jwt: of all tokens; other: of the keys without a ' +
        'series of their own.',
      unit: 'eps',
      empty: 'no API keys and tokens, or no scrape in this time',
      queries: [
        {
          expr: sumOfRates('forebay_key_events_total', ['key', 'result']),
          legend: '{{key}}: {{result}}',
        },
      ],
    }),
    lines({
      title: 'Bytes by API key',
      description: 'Bytes of the frames and bodies of each key.',
      unit: 'Bps',
      stacked: true,
      empty: 'no API keys and tokens, or no scrape in this time',
      queries: [{ expr: sumOfRates('forebay_key_bytes_total', ['key']), legend: '{{key}}' }],
    }),
    lines({
      title: 'Lost with a worker',
      description: 'In flight in a worker that died. Clients that wait for acks resend them.',
      unit: 'eps',
      queries: [{ expr: sumOfRates('forebay_events_lost_total', ['cause']), legend: '{{cause}}' }],
    }),
  ],
};
