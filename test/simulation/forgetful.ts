/**
 * Defects that forget an event, one or more in each stage of its way: each has to show in
 * `forebay_events_unaccounted`, whoever else notices it.
 */
import type { Mutant } from './mutants.ts';

export const FORGETFUL: readonly Mutant[] = [
  {
    what: 'decoder: the last event of an array is not handed on',
    file: 'worker/decoder/json/fast-path.ts',
    changes: [['index < events; index++', 'index < Math.max(1, events - 1); index++']],
  },
  {
    what: 'decoder: a frame that is no JSON is not refused',
    file: 'worker/decoder/json/text.ts',
    changes: [["sink.refuseFrame('invalid_json', syntaxMessage(error, bytes, start));", '']],
  },
  {
    what: 'validator: an event that breaks the schema is not refused',
    file: 'worker/intake/intake.ts',
    changes: [["return this.#tell(index, 'schema', wrong);", 'return;']],
  },
  {
    what: 'validator: an event of a frame that comes when the buffer is full is not refused',
    file: 'worker/intake/intake.ts',
    changes: [['this.#tell(index, code, EVENT_CODES[code].text);', '']],
  },
  {
    what: 'accumulator: an event that does not fit the buffer is taken for kept',
    file: 'worker/accumulator/accumulator.ts',
    changes: [
      ["if (batch === undefined) return 'buffer_full';", 'if (batch === undefined) return;'],
    ],
  },
  {
    what: 'accumulator: a batch that is closed behind two others is dropped',
    file: 'worker/accumulator/queue.ts',
    changes: [
      [
        'this.#closed.push(this.#open);',
        'if (this.#closed.length < 2) this.#closed.push(this.#open);',
      ],
    ],
  },
  {
    what: 'producer: a batch that has waited too long is dropped without a word',
    file: 'worker/producer/producer.ts',
    changes: [["this.#options.outcomes.refused(batch, 'kafka_unavailable');", '']],
  },
  {
    what: 'producer: a batch that is given up is dropped without a word',
    file: 'worker/producer/producer.ts',
    changes: [["outcomes.refused(verdict.batch, 'timeout');", '']],
  },
  {
    what: 'acknowledger: the last frame of a batch hears nothing',
    file: 'worker/acknowledger/acknowledger.ts',
    changes: [['index <= records; index++', 'index < records; index++']],
  },
  {
    what: 'acknowledger: an HTTP body that is answered before its events are settled is forgotten',
    file: 'worker/acknowledger/acknowledger.ts',
    changes: [['this.#counters.add(REFUSED.timeout, open);', '']],
  },
];
