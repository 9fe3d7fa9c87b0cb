import type { ProducerStamp } from '../../../src/worker/accumulator/records.ts';

const SEQUENCE_SPAN = 2 ** 31;
/** Batches of a producer that a broker remembers. */
const REMEMBERED = 5;

interface State {
  epoch: number;
  /** First sequence and number of records of the last batches, the newest last. */
  batches: { sequence: number; records: number }[];
}

/** A broker's decision on a batch: append, already stored, or an error code. */
export type Admission = 'append' | 'repeat' | 45 | 47;

/**
 * Kafka's idempotence rules in one partition, as observed on a real broker (4.1.1). Not modeled:
 * transactions and the expiry of producers.
 */
export class ProducerStates {
  readonly #states = new Map<bigint, State>();

  /** Decides on the batch with this header, and remembers it if it is appended. */
  admit({ producerId, epoch, sequence, records }: ProducerStamp & { records: number }): Admission {
    if (producerId < 0n) return 'append'; // not idempotent
    const state = this.#states.get(producerId);
    if (state === undefined || epoch > state.epoch) {
      // Without state any first sequence is accepted; a new epoch starts at 0.
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
