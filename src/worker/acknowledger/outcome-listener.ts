import type { EventCode } from '../../common/errors.ts';
import type { JsonObject } from '../../common/json-object.ts';
import type { Owner, RecordBatch } from '../accumulator/batch.ts';

/** An event or frame that was rejected on arrival; valid during the call. */
export interface ArrivalRejection {
  /** Message of the rejection, without the number of the event. */
  readonly reason: string;
  /** Contains the event at `[start, end)`; undefined = it was not kept. */
  readonly bytes: Buffer | undefined;
  readonly start: number;
  readonly end: number;
  /** Undefined = it was not parsed. */
  readonly value: JsonObject | undefined;
}

/** Receives the outcome of every event: all that its sender learns, and later results. */
export interface OutcomeListener {
  /**
   * An event was rejected on arrival; without its number, a frame with `events` events.
   * @param cells offset of its stream's cells in the metrics
   */
  rejected(
    owner: Owner,
    event: number | undefined,
    code: EventCode,
    cells: number,
    events: number,
    input: ArrivalRejection,
  ): void;
  /**
   * The records `[from, to)` of a batch are stored: of one owner, frame and stream.
   * @param isLate after their sender has received `timeout`
   */
  stored(batch: RecordBatch, from: number, to: number, isLate: boolean): void;
  /** The records `[from, to)` of a batch are not stored, or not confirmed in time. */
  failed(batch: RecordBatch, from: number, to: number, code: EventCode): void;
  /** The sender of `events` events received `timeout`; their batches are in flight. */
  expired(owner: Owner, cells: number, events: number): void;
}
