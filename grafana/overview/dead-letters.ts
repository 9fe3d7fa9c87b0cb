/** Copies of rejected events. */
import type { Row } from '../dashboard.ts';
import { lines } from '../panels.ts';
import { of, sumOfRates } from '../queries.ts';

export const deadLetters: Row = {
  title: 'Dead letters',
  panels: [
    lines({
      title: 'Dead letters by reason',
      description:
        'Rejected events of streams that have dead letters. (none): events without a stream.',
      unit: 'eps',
      stacked: true,
      queries: [
        {
          expr: sumOfRates('forebay_dead_letters_attempted_total', ['stream', 'code']),
          legend: '{{stream}}: {{code}}',
        },
      ],
    }),
    lines({
      title: 'Dead letters by result',
      description:
        'written: in Kafka. dropped: above their rate or share of the buffer, or rejected by ' +
        'Kafka: they cannot be replayed. lost: not confirmed; Kafka may have them.',
      unit: 'eps',
      queries: [
        {
          expr: sumOfRates('forebay_dead_letters_total', ['stream', 'result']),
          legend: '{{stream}}: {{result}}',
        },
      ],
    }),
    lines({
      title: 'Dead letters in flight',
      description: 'On their way to Kafka. They wait while Kafka is unavailable, if there is room.',
      unit: 'short',
      stacked: true,
      queries: [
        {
          expr: `sum by (stream) (${of('forebay_dead_letters_in_flight')})`,
          legend: '{{stream}}',
        },
      ],
    }),
  ],
};
