import type { EventCode } from '../../common/errors.ts';
import type { RecordBatch } from '../accumulator/batch.ts';

/** Delivery results of batches: all that other stages learn of Kafka. */
export interface DeliveryListener {
  /** Every record is in Kafka, on all in-sync replicas. The batch leaves the producer. */
  stored(batch: RecordBatch): void;
  /** No event is acknowledged; `timeout`: it may be stored. The batch leaves the producer. */
  rejected(batch: RecordBatch, code: EventCode): void;
  /** The owners get `timeout` now; the batch stays in flight and charged. */
  overdue(batch: RecordBatch): void;
}
