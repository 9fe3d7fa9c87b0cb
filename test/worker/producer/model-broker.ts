import { ProducerStates } from '../../fakes/broker/producer-states.ts';
import { headerOf, valuesIn } from '../../fakes/broker/record-batch.ts';

/** One partition of a broker, with the rules of Kafka's idempotence; without network. */
export class ModelBroker {
  /** Values of the records in the log, in order. */
  readonly log: string[] = [];
  readonly #producers = new ProducerStates();

  /** Appends a sealed batch. @returns Kafka's error code */
  produce(bytes: Buffer): number {
    const values = valuesIn(bytes);
    if (values.some((value) => value.startsWith('BAD'))) return 87;
    const admission = this.#producers.admit(headerOf(bytes));
    if (typeof admission === 'number') return admission;
    if (admission === 'append') this.log.push(...values);
    return 0;
  }
}
