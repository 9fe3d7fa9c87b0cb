import type { EventCode } from '../../common/errors.ts';
import { HttpReply } from '../acknowledger/http-reply.ts';
import type { StoredRecord } from '../acknowledger/stored-records.ts';

/** Counts the results of a dry run. */
export type DryRunListener = (result: 'accepted' | 'rejected') => void;

/** The owner of one body's events in a dry run: an accepted event is settled at once. */
export class DryRunReply extends HttpReply {
  #onResult: DryRunListener | undefined;

  /** Calls `listener` with the result of each event, or of the whole body. */
  onResult(listener: DryRunListener): void {
    this.#onResult = listener;
  }

  /** Returns whether the response may show the record of an event. */
  shows(event: number): boolean {
    return this.recordReader?.reads(event) ?? false;
  }

  /** Adds a record to the response. @param bytes of its key and headers */
  show(record: StoredRecord, bytes: number): void {
    this.recordReader?.add(record, bytes);
  }

  override accepted(frame: number, event: number, cells: number): void {
    super.accepted(frame, event, cells);
    super.settled(frame, [event], 0, 1);
    this.#onResult?.('accepted');
  }

  override rejected(
    frame: number,
    event: number | undefined,
    code: EventCode,
    message: string,
    retryAfterMs?: number,
  ): void {
    super.rejected(frame, event, code, message, retryAfterMs);
    this.#onResult?.('rejected');
  }
}
