/** The same by stream, with topic and owner of each. */
import type { Row } from '../dashboard.ts';
import { lines, NONE_STORED, table } from '../panels.ts';
import { of, quantile, sumOfRates } from '../queries.ts';

export const streams: Row = {
  title: 'Streams',
  panels: [
    lines({
      title: 'Received by stream',
      description: '(none): events that were rejected before they had a stream.',
      unit: 'eps',
      stacked: true,
      queries: [
        { expr: sumOfRates('forebay_events_received_total', ['stream']), legend: '{{stream}}' },
      ],
    }),
    lines({
      title: 'Stored by stream',
      description: 'Events confirmed by Kafka.',
      unit: 'eps',
      stacked: true,
      queries: [
        { expr: sumOfRates('forebay_events_stored_total', ['stream']), legend: '{{stream}}' },
      ],
    }),
    lines({
      title: 'Refused and dropped by stream',
      description: 'The panels above have the reasons: select a stream.',
      unit: 'eps',
      queries: [
        {
          expr: sumOfRates('forebay_events_refused_total', ['stream']),
          legend: '{{stream}}: refused',
        },
        {
          expr: sumOfRates('forebay_events_dropped_total', ['stream']),
          legend: '{{stream}}: dropped',
        },
      ],
    }),
    lines({
      title: 'Schema warnings by stream',
      description:
        'Events stored although they violate the schema of the stream: its mode is warn.',
      unit: 'eps',
      queries: [
        { expr: sumOfRates('forebay_schema_warnings_total', ['stream']), legend: '{{stream}}' },
      ],
    }),
    lines({
      title: 'Candidate schemas by stream',
      description:
        'Events of the sample on which the candidate was evaluated, and those that only the ' +
        'candidate rejects: the switch is safe while these stay at 0.',
      unit: 'eps',
      queries: [
        {
          expr: sumOfRates('forebay_schema_candidate_evaluated_total', ['stream']),
          legend: '{{stream}}: evaluated',
        },
        {
          expr: sumOfRates('forebay_schema_candidate_failures_total', ['stream']),
          legend: '{{stream}}: failures',
        },
      ],
    }),
    lines({
      title: 'Acknowledgement by stream, p99',
      description: 'Time from the arrival of an event to its confirmation by Kafka.',
      unit: 's',
      empty: NONE_STORED,
      queries: [
        {
          expr: quantile(0.99, 'forebay_ack_duration_seconds', ['stream']),
          legend: '{{stream}}',
        },
      ],
    }),
    lines({
      title: 'In flight by stream',
      description: 'Accepted events that are not settled.',
      unit: 'short',
      stacked: true,
      queries: [
        { expr: `sum by (stream) (${of('forebay_events_in_flight')})`, legend: '{{stream}}' },
      ],
    }),
    lines({
      title: 'Buffer by stream',
      description:
        'Memory of the waiting events of each stream. (none): copies of requests, and rejections ' +
        'that are not sent yet.',
      unit: 'bytes',
      stacked: true,
      queries: [{ expr: `sum by (stream) (${of('forebay_buffer_bytes')})`, legend: '{{stream}}' }],
    }),
    lines({
      title: 'Failed attempts by stream',
      description:
        'Failed attempts to store a batch. Those of a topic with several streams count for the ' +
        'first of them in the stream file.',
      unit: 'cps',
      queries: [
        { expr: sumOfRates('forebay_produce_errors_total', ['stream']), legend: '{{stream}}' },
      ],
    }),
    lines({
      title: 'Stream file',
      description: 'Version in use: starts at 1, rises with each change; 0 = no stream file.',
      unit: 'short',
      queries: [
        {
          expr: `max by (instance) (${of('forebay_streams_version')})`,
          legend: '{{instance}}',
        },
      ],
    }),
    lines({
      title: 'Reloads of the stream file',
      description: 'rejected: the file has errors, and the previous streams stay in use.',
      unit: 'short',
      queries: [
        {
          expr: `sum by (result) (increase(${of('forebay_streams_reloads_total')}[$__rate_interval]))`,
          legend: '{{result}}',
        },
      ],
    }),
    lines({
      title: 'Age of schemas of the registry',
      description:
        'Time since the schema registry confirmed the version in use; up to a minute while it ' +
        'responds.',
      unit: 's',
      queries: [
        {
          expr: `max by (stream) (${of('forebay_schema_registry_age_seconds')})`,
          legend: '{{stream}}',
        },
      ],
    }),
    lines({
      title: 'Failed requests to the schema registry',
      description: 'Requests that it did not answer as its API describes.',
      unit: 'cps',
      queries: [
        { expr: sumOfRates('forebay_schema_registry_failed_requests_total'), legend: 'failed' },
      ],
    }),
    table(
      {
        title: 'Topics and owners',
        description: 'Topic and owner of each stream, removed ones included.',
        unit: 'short',
        queries: [
          {
            expr: `sum by (job, instance, stream, topic, owner) (${of('forebay_stream_info')})`,
            legend: '{{stream}}',
          },
        ],
      },
      ['job', 'instance', 'stream', 'topic', 'owner'],
      { w: 24, h: 8 },
    ),
  ],
};
