/** Series of dead letters; catalogue.ts lists all series. */
import { deadLetterCodes } from '../common/errors.ts';
import { DEAD_LETTER_RESULTS } from './labels.ts';
import type { Series } from './series.ts';

export const DEAD_LETTER_SERIES = [
  {
    name: 'forebay_dead_letters_attempted_total',
    type: 'counter',
    unit: 'letters',
    help: 'Rejected events whose stream has dead letters; no other metric counts their copies.',
    from: 'sum',
    label: { name: 'code', values: deadLetterCodes },
    slots: 'stream or none',
  },
  {
    name: 'forebay_dead_letters_total',
    type: 'counter',
    unit: 'letters',
    help:
      'Dead letters by result. written: in Kafka. dropped: above their rate or share of the ' +
      'buffer, under pressure, or rejected by Kafka. lost: not confirmed; Kafka may have them.',
    from: 'sum',
    label: { name: 'code', values: deadLetterCodes },
    secondLabel: { name: 'result', values: DEAD_LETTER_RESULTS },
    slots: 'stream or none',
  },
  {
    name: 'forebay_dead_letters_in_flight',
    type: 'gauge',
    unit: 'letters',
    help: 'Dead letters on their way to Kafka, counted by walking the lanes.',
    from: 'sum',
    slots: 'stream or none',
  },
] as const satisfies readonly Series[];
