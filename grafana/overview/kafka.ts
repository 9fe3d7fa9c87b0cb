/** Responses of the brokers, and batches. */
import type { Row } from '../dashboard.ts';
import { lines, NONE_STORED } from '../panels.ts';
import { of, quantile, ratio, sumOfRates } from '../queries.ts';

export const kafka: Row = {
  title: 'Kafka',
  panels: [
    lines({
      title: 'Produce requests',
      description: 'Time from a produce request to its response. It rises when Kafka is slow.',
      unit: 's',
      empty: 'no responses in this time range',
      queries: [0.5, 0.99].map((part) => ({
        expr: quantile(part, 'forebay_produce_duration_seconds'),
        legend: `p${100 * part}`,
      })),
    }),
    lines({
      title: 'Produce requests and batches',
      description: 'Answered requests and stored batches, per second.',
      unit: 'reqps',
      queries: [
        { expr: sumOfRates('forebay_produce_duration_seconds_count'), legend: 'requests' },
        { expr: sumOfRates('forebay_batch_events_count'), legend: 'batches' },
      ],
    }),
    lines({
      title: 'Failed attempts',
      description:
        'Failed attempts to store a batch, by error class, and lanes that began a new epoch. ' +
        'Batches are retried until the deadline of their events.',
      unit: 'cps',
      queries: [
        { expr: sumOfRates('forebay_produce_errors_total', ['class']), legend: '{{class}}' },
        {
          expr: sumOfRates('forebay_producer_resets_total', ['class']),
          legend: 'new {{class}}',
        },
      ],
    }),
    lines({
      title: 'Events per batch',
      description: 'Small batches cost more CPU per event, here and in the brokers.',
      unit: 'short',
      empty: NONE_STORED,
      queries: [
        { expr: ratio('forebay_batch_events_sum', 'forebay_batch_events_count'), legend: 'mean' },
        { expr: quantile(0.99, 'forebay_batch_events'), legend: 'p99' },
      ],
    }),
    lines({
      title: 'Bytes per batch',
      description: 'As sent, and before compression: equal without KAFKA_COMPRESSION.',
      unit: 'bytes',
      empty: NONE_STORED,
      queries: [
        { expr: ratio('forebay_batch_bytes_sum', 'forebay_batch_bytes_count'), legend: 'sent' },
        {
          expr: ratio('forebay_batch_uncompressed_bytes_total', 'forebay_batch_bytes_count'),
          legend: 'before compression',
        },
      ],
    }),
    lines({
      title: 'Lanes',
      description:
        'Partitions of the topic, per worker. retrying: rejected and waiting for a retry; ' +
        'unknown: sent, but not known to be stored.',
      unit: 'short',
      stacked: true,
      queries: [{ expr: `sum by (state) (${of('forebay_lanes')})`, legend: '{{state}}' }],
    }),
  ],
};
