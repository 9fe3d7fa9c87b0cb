import { readRecords } from '../../../src/worker/accumulator/records.ts';
import { headerOf } from './rig.ts';

const SEQUENCE_SPAN = 2 ** 31;
/** Batches of a producer that a broker remembers. */
const REMEMBERED = 5;

interface ProducerState {
  epoch: number;
  /** First sequence and number of records of the last batches, the newest last. */
  batches: { sequence: number; records: number }[];
}

/**
 * One partition of a broker, with the rules of Kafka's idempotence as a real one (4.1.1) showed
 * them. Left out: transactions, the expiry of producers, several partitions.
 */
export class ModelBroker {
  /** Values of the records in the log, in order. */
  readonly log: string[] = [];
  readonly #producers = new Map<bigint, ProducerState>();

  /** Takes a sealed batch. @returns Kafka's error code */
  produce(bytes: Buffer): number {
    const { producerId, epoch, sequence, records } = headerOf(bytes);
    const values = valuesIn(bytes, records);
    if (values.some((value) => value.startsWith('BAD'))) return 87;
    const state = this.#producers.get(producerId);
    if (state === undefined || epoch > state.epoch) {
      // Without any state every first sequence is taken; a new epoch begins at 0.
      if (state !== undefined && sequence !== 0) return 45;
      this.#producers.set(producerId, { epoch, batches: [{ sequence, records }] });
    } else {
      if (epoch < state.epoch) return 47;
      const { batches } = state;
      if (batches.some((each) => each.sequence === sequence && each.records === records)) return 0;
      const last = batches.at(-1)!;
      if (sequence !== (last.sequence + last.records) % SEQUENCE_SPAN) return 45;
      batches.push({ sequence, records });
      if (batches.length > REMEMBERED) batches.shift();
    }
    this.log.push(...values);
    return 0;
  }
}

function valuesIn(bytes: Buffer, records: number): string[] {
  return readRecords(bytes, records).map(({ valueStart, valueBytes }) =>
    bytes.toString('utf8', valueStart, valueStart + valueBytes),
  );
}
