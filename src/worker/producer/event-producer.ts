import type { Delivery } from '../../ipc.ts';
import type { RecordBatch } from '../accumulator/batch.ts';
import type { Topic } from '../accumulator/topic.ts';
import type { Health } from './health.ts';

/**
 * Drains the accumulator, and passes the result of each batch to its `DeliveryListener`: all that a
 * worker knows of the place where events are stored.
 */
export interface EventProducer {
  start(): void;
  stop(): void;
  /** Sends all batches without linger from now on. */
  flush(): void;
  /** Topics may have changed, for instance after their creation. */
  refresh(): void;
  /** Sends due batches, after a topic has released them. */
  resume(): void;
  /** Serves a further topic from now on. */
  addTopic(topic: Topic): void;
  /** Forgets a topic whose events all have a result. */
  removeTopic(topic: Topic): void;
  /** Every event has a result, which its sender received; dead letters may have none. */
  readonly settled: boolean;
  /** Calls `visit` with every batch whose fate is open. */
  walk(visit: (batch: RecordBatch) => void): void;
  /** Updates the metrics of lanes. */
  countLanes(): void;
  /** Returns whether events can be stored, and the latest failure. */
  delivery(nowMs: number): Delivery;
  readonly health: Pick<Health, 'authenticated' | 'leaderless'>;
}
