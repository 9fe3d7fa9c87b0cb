import type { EventCode } from '../../common/errors.ts';
import type { RecordBatch } from '../accumulator/batch.ts';

/** What became of batches: the only thing that other stages learn of Kafka. */
export interface Outcomes {
  /** Every record of the batch is in Kafka, on all in-sync replicas. The batch is gone. */
  stored(batch: RecordBatch): void;
  /** None of its events will be acknowledged; `timeout` = it may be stored. The batch is gone. */
  refused(batch: RecordBatch, code: EventCode): void;
  /** Its owners hear `timeout` now; the batch goes on and is still charged. */
  overdue(batch: RecordBatch): void;
}
