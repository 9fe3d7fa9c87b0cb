import { type EventCode, isDeadLetterCode } from '../../common/errors.ts';
import type { RecordBatch } from '../accumulator/batch.ts';
import type { DeliveryListener } from '../producer/delivery-listener.ts';
import type { ActiveStreams } from '../streams/active-streams.ts';
import type { DeadLetters } from './dead-letters.ts';

/** Passes the results of batches on: those of dead letters, and those of events of clients. */
export class Deliveries implements DeliveryListener {
  readonly #events: DeliveryListener;
  readonly #deadLetters: DeadLetters;
  readonly #streams: ActiveStreams;

  constructor(events: DeliveryListener, deadLetters: DeadLetters, streams: ActiveStreams) {
    this.#events = events;
    this.#deadLetters = deadLetters;
    this.#streams = streams;
  }

  stored(batch: RecordBatch): void {
    this.#listenerOf(batch).stored(batch);
  }

  rejected(batch: RecordBatch, code: EventCode): void {
    const listener = this.#listenerOf(batch);
    // After `timeout` the events may be sent again.
    if (isDeadLetterCode(code) && listener === this.#events && !batch.answered) {
      const { table } = this.#streams;
      this.#deadLetters.copyRejected(batch, code, (cells) => table.streamAt(cells));
    }
    listener.rejected(batch, code);
  }

  overdue(batch: RecordBatch): void {
    this.#listenerOf(batch).overdue(batch);
  }

  #listenerOf({ partition }: RecordBatch): DeliveryListener {
    return partition.topic.hasDeadLetters ? this.#deadLetters : this.#events;
  }
}
