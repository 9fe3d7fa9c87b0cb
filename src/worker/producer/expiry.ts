import type { RecordBatch } from '../accumulator/batch.ts';
import type { Partition } from '../accumulator/topic.ts';
import type { DeliveryListener } from './delivery-listener.ts';
import type { Health } from './health.ts';

/** Expires batches whose oldest event has waited for the event timeout. */
export class Expiry {
  readonly #eventTimeoutMs: number;
  readonly #deliveryListener: DeliveryListener;
  readonly #health: Health;

  constructor(eventTimeoutMs: number, deliveryListener: DeliveryListener, health: Health) {
    this.#eventTimeoutMs = eventTimeoutMs;
    this.#deliveryListener = deliveryListener;
    this.#health = health;
  }

  /** Expires the batches of a lane; one that was sent stays there, with its senders notified. */
  expireLane(partition: Partition, nowMs: number): void {
    const { lane } = partition;
    lane.walk((batch) => {
      if (nowMs - batch.openedAtMs < this.#eventTimeoutMs || batch.answered) return;
      if (batch === lane.head && lane.attempts === 0) {
        // A batch being compressed cannot be released; it is checked again afterwards.
        if (!lane.compressing) this.#reject(lane.dropUnsent(), partition);
      } else this.#deliveryListener.overdue(batch);
    });
  }

  /** Removes the expired batches of a queue, which were never sent. */
  expireQueue(partition: Partition, nowMs: number): void {
    for (;;) {
      const batch = partition.queue.takeExpired(nowMs, this.#eventTimeoutMs);
      if (batch === undefined) return;
      this.#reject(batch, partition);
    }
  }

  #reject(batch: RecordBatch, partition: Partition): void {
    this.#health.expired(partition, batch.openedAtMs);
    this.#deliveryListener.rejected(batch, 'kafka_unavailable');
  }
}
