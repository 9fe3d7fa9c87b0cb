/** Events that wait for Kafka, and latency by stage. */
import type { Row } from '../dashboard.ts';
import { lines, NONE_STORED } from '../panels.ts';
import { bufferShare, of, quantile, ratio } from '../queries.ts';

export const buffer: Row = {
  title: 'Buffer: events waiting for Kafka',
  panels: [
    lines({
      title: 'Fullest buffer',
      description:
        'Share of FOREBAY_BUFFER_BYTES in the fullest worker of each instance. Room for copies of ' +
        'requests stays free, so senders are throttled before it reaches 100%.',
      unit: 'percentunit',
      max: 1,
      queries: [{ expr: `max by (instance) (${bufferShare()})`, legend: '{{instance}}' }],
    }),
    lines({
      title: 'Oldest event',
      description:
        'Age of the oldest unsettled event: the lag of Kafka. Events are rejected at ' +
        'FOREBAY_EVENT_TIMEOUT_MS, 120 s by default.',
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
      description: 'Accepted events that are not settled.',
      unit: 'short',
      stacked: true,
      queries: [
        { expr: `sum by (instance) (${of('forebay_events_in_flight')})`, legend: '{{instance}}' },
      ],
    }),
    lines({
      title: 'Acknowledgement',
      description: 'Time from the arrival of an event to its confirmation by Kafka.',
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
        'decode: from arrival until it is validated and queued; lane: until it is sent; produce: ' +
        'until its result is known, including retries; ack: until its sender is notified. The ' +
        'longest stage is the bottleneck.',
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
      description: 'The same on average: the distribution in normal operation.',
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
