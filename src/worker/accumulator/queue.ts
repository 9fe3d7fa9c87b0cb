import assert from 'node:assert/strict';
import { LIMITS } from '../../config/limits.ts';
import type { RecordBatch } from './batch.ts';

/**
 * Waiting batches of a partition, in order: closed batches, then the open one.
 *
 *   closed [b0 b1 b2]  open b3 <- append
 *   ^ take
 *
 * While it is held, batches that began later are not taken.
 */
export class PartitionQueue {
  readonly #closed: RecordBatch[] = [];
  #open: RecordBatch | undefined;
  /** Number of batches that may be taken although the queue is held; undefined = it is not held. */
  #beforeHold: number | undefined;

  get open(): RecordBatch | undefined {
    return this.#open;
  }

  /** The first batch. */
  get oldest(): RecordBatch | undefined {
    return this.#closed[0] ?? this.#open;
  }

  get empty(): boolean {
    return this.#open === undefined && this.#closed.length === 0;
  }

  /** Makes `batch` the open batch. */
  begin(batch: RecordBatch): void {
    assert(this.#open === undefined, 'one open batch per partition');
    this.#open = batch;
  }

  /** Closes the open batch, which is full, due, or old. */
  close(): void {
    assert(this.#open !== undefined && this.#open.records > 0, 'there is a batch to close');
    this.#closed.push(this.#open);
    this.#open = undefined;
  }

  /** Closes the open batch if it is too old to share its outcome with a new event. */
  closeOlderThan(nowMs: number): void {
    const open = this.#open;
    if (open !== undefined && nowMs - open.openedAtMs > LIMITS.batchOpenMsMax) this.close();
  }

  /** None of its batches may be taken now. */
  get isHeld(): boolean {
    return this.#beforeHold === 0;
  }

  /** Keeps batches that begin from now on until {@link release}. */
  hold(): void {
    if (this.#beforeHold !== undefined) return;
    if (this.#open !== undefined) this.close();
    this.#beforeHold = this.#closed.length;
  }

  /** Ends {@link hold}. */
  release(): void {
    this.#beforeHold = undefined;
  }

  /** Time at which the first batch is due: at once if it is closed, otherwise after the linger. */
  dueMs(lingerMs: number): number {
    if (this.isHeld) return Number.POSITIVE_INFINITY;
    if (this.#closed.length > 0) return 0;
    return this.#open === undefined ? Number.POSITIVE_INFINITY : this.#open.openedAtMs + lingerMs;
  }

  /** Removes and returns the first batch, due or not. */
  take(): RecordBatch | undefined {
    if (this.isHeld) return undefined;
    if (this.#beforeHold !== undefined) this.#beforeHold--;
    if (this.#closed.length === 0 && this.#open !== undefined) this.close();
    return this.#closed.shift();
  }

  /**
   * Removes and returns the first batch with an event older than `timeoutMs`, at any position:
   * batches moved here from a removed partition follow younger ones.
   */
  takeExpired(nowMs: number, timeoutMs: number): RecordBatch | undefined {
    const isExpired = (batch: RecordBatch) => nowMs - batch.openedAtMs >= timeoutMs;
    const index = this.#closed.findIndex(isExpired);
    if (index >= 0) {
      if (this.#beforeHold !== undefined && index < this.#beforeHold) this.#beforeHold--;
      return this.#closed.splice(index, 1)[0];
    }
    if (this.#open === undefined || !isExpired(this.#open)) return undefined;
    this.close();
    return this.#closed.pop();
  }

  /** Calls `visit` with every waiting batch. */
  walk(visit: (batch: RecordBatch) => void): void {
    for (const batch of this.#closed) visit(batch);
    if (this.#open !== undefined) visit(this.#open);
  }
}
