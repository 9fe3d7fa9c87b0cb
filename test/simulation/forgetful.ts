/**
 * Defects that forget an event, one or more in each stage. Each must show in
 * `forebay_events_unaccounted`, whether or not another check finds it too.
 */
import type { Mutant } from './mutants.ts';

export const FORGETFUL: readonly Mutant[] = [
  {
    defect: 'decoder: the last event of an array is not passed on',
    file: 'decoder/json/fast-path.ts',
    changes: [['decodeArray', 'index < events;', 'index < Math.max(1, events - 1);']],
  },
  {
    defect: 'decoder: a frame of invalid JSON is not rejected',
    file: 'decoder/json/text.ts',
    changes: [['decodeText', 'sink.rejectFrame(…', '']],
  },
  {
    defect: 'validator: an event that violates the schema is not rejected',
    file: 'intake/intake.ts',
    changes: [['event', "return this.#rejectInvalid(index, 'schema'…", 'return;']],
  },
  {
    defect: 'validator: an event of a frame that arrives while the buffer is full is not rejected',
    file: 'intake/intake.ts',
    changes: [['#isUnavailable', 'this.#rejections.event(index, code…', '']],
  },
  {
    defect: 'intake: a frame that finds the buffer full is not rejected',
    file: 'intake/intake.ts',
    changes: [['rejectIfFull', "this.#rejections.whole('buffer_full'…", '']],
  },
  {
    defect: 'intake: a frame that finds the buffer full is rejected as one event',
    file: 'intake/intake.ts',
    changes: [['rejectIfFull', 'undefined, events);', 'undefined, 1);']],
  },
  {
    defect: 'accumulator: an event that exceeds the buffer counts as accepted',
    file: 'accumulator/accumulator.ts',
    changes: [['appendWithKey', "return 'buffer_full';", 'return;']],
  },
  {
    defect: 'accumulator: a batch closed behind two others is dropped',
    file: 'accumulator/queue.ts',
    changes: [['close', 'this.#closed.push(', 'if (this.#closed.length < 2) this.#closed.push(']],
  },
  {
    defect: 'producer: an expired batch is dropped silently',
    file: 'producer/expiry.ts',
    changes: [['#reject', 'this.#deliveryListener.rejected(…', '']],
  },
  {
    defect: 'producer: an abandoned batch is dropped silently',
    file: 'producer/producer.ts',
    changes: [['#settle', "deliveryListener.rejected(settlement.batch, 'timeout')", '']],
  },
  {
    defect: 'acknowledger: the last frame of a batch is never settled',
    file: 'accumulator/batch.ts',
    changes: [['eachRun', 'index <= records;', 'index < records;']],
  },
  {
    defect:
      'acknowledger: an HTTP body that is answered before its events are settled is forgotten',
    file: 'acknowledger/acknowledger.ts',
    changes: [['expire', 'this.#counters.add(REFUSED.timeout…', '']],
  },
];
