import type { ProducerStamp } from '../../../src/worker/accumulator/records.ts';

const SEQUENCE_SPAN = 2 ** 31;
/** Batches of a producer that a broker remembers. */
const REMEMBERED = 5;

interface State {
  epoch: number;
  /** First sequence and number of records of the last batches, the newest last. */
  batches: { sequence: number; records: number }[];
}

/** What a broker does with a batch: appends it, has it already, or answers an error. */
export type Admission = 'append' | 'repeat' | 45 | 47;

/**
 * The rules of Kafka's idempotence in one partition, as a real broker (4.1.1) showed them. Left
 * out: transactions, the expiry of producers.
 */
export class ProducerStates {
  readonly #states = new Map<bigint, State>();

  /** Says what becomes of the batch with this header, and remembers it if it is appended. */
  admit({ producerId, epoch, sequence, records }: ProducerStamp & { records: number }): Admission {
    if (producerId < 0n) return 'append'; // not idempotent
    const state = this.#states.get(producerId);
    if (state === undefined || epoch > state.epoch) {
      // Without any state every first sequence is taken; a new epoch begins at 0.
      if (state !== undefined && sequence !== 0) return 45;
      this.#states.set(producerId, { epoch, batches: [{ sequence, records }] });
      return 'append';
    }
    if (epoch < state.epoch) return 47;
    const { batches } = state;
    if (batches.some((each) => each.sequence === sequence && each.records === records)) {
      return 'repeat';
    }
    const last = batches.at(-1)!;
    if (sequence !== (last.sequence + last.records) % SEQUENCE_SPAN) return 45;
    batches.push({ sequence, records });
    if (batches.length > REMEMBERED) batches.shift();
    return 'append';
  }
}
