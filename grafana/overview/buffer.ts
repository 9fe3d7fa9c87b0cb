/** What waits for Kafka, and how long an event is on its way. */
import type { Row } from '../dashboard.ts';
import { lines, NONE_STORED } from '../panels.ts';
import { bufferShare, of, quantile, ratio } from '../queries.ts';

export const buffer: Row = {
  title: 'Buffer: what waits for Kafka',
  panels: [
    lines({
      title: 'Fullest buffer',
      description:
        'Share of FOREBAY_BUFFER_BYTES, of the fullest worker of each instance. Room for copies ' +
        'of requests is kept free, so senders are slowed down before it is at 100%.',
      unit: 'percentunit',
      max: 1,
      queries: [{ expr: `max by (instance) (${bufferShare()})`, legend: '{{instance}}' }],
    }),
    lines({
      title: 'Oldest event',
      description:
        'Age of the oldest event that is not settled: how far behind Kafka is. Events are ' +
        'refused at FOREBAY_EVENT_TIMEOUT_MS, 120 s by default.',
      unit: 's',
      queries: [
        {
          expr: `max by (instance) (${of('forebay_buffer_oldest_seconds')})`,
          legend: '{{instance}}',
        },
      ],
    }),
    lines({
      title: 'In flight',
      description: 'Events that were taken and are not settled.',
      unit: 'short',
      stacked: true,
      queries: [
        { expr: `sum by (instance) (${of('forebay_events_in_flight')})`, legend: '{{instance}}' },
      ],
    }),
    lines({
      title: 'Acknowledgement',
      description: 'Time from an event’s arrival until Kafka has confirmed it.',
      unit: 's',
      empty: NONE_STORED,
      queries: [0.5, 0.9, 0.99, 0.999].map((part) => ({
        expr: quantile(part, 'forebay_ack_duration_seconds'),
        legend: `p${100 * part}`,
      })),
    }),
    lines({
      title: 'Time by stage, p99',
      description:
        'decode: from arrival until it is checked and in its lane; lane: until it is sent; ' +
        'produce: until its fate is known, retries included; ack: until its sender is told. The ' +
        'longest is what holds events up.',
      unit: 's',
      empty: NONE_STORED,
      queries: [
        {
          expr: quantile(0.99, 'forebay_stage_duration_seconds', ['stage']),
          legend: '{{stage}}',
        },
      ],
    }),
    lines({
      title: 'Time by stage, mean',
      description: 'The same on average: where the time goes in calm times.',
      unit: 's',
      empty: NONE_STORED,
      stacked: true,
      queries: [
        {
          expr: ratio(
            'forebay_stage_duration_seconds_sum',
            'forebay_stage_duration_seconds_count',
            ['stage'],
          ),
          legend: '{{stage}}',
        },
      ],
    }),
  ],
};
