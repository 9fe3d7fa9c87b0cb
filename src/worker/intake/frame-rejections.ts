import type { EventCode } from '../../common/errors.ts';
import type { JsonObject } from '../../common/json-object.ts';
import type { Owner } from '../accumulator/batch.ts';
import type { ArrivalRejection } from '../acknowledger/outcome-listener.ts';
import type { ViolationRecorder } from '../violation-recorder.ts';
import type { RejectionListener } from './rejection-listener.ts';

/** Reports the rejected events of a frame, or its rejection as a whole. */
export class FrameRejections implements ArrivalRejection {
  readonly #onRejection: RejectionListener;
  readonly #violations: Pick<ViolationRecorder, 'rejected'> | undefined;
  #owner!: Owner;
  #frame = 0;
  /** Codes of the frame with a message that names an event: clients receive one per code. */
  readonly #explained = new Set<EventCode>();
  /** Of the latest rejection, as the next ones: an object per rejection would cost more. */
  reason = '';
  bytes: Buffer | undefined;
  start = 0;
  end = 0;
  value: JsonObject | undefined;

  /** @param violations counts invalid events by reason */
  constructor(
    onRejection: RejectionListener,
    violations: Pick<ViolationRecorder, 'rejected'> | undefined,
  ) {
    this.#onRejection = onRejection;
    this.#violations = violations;
  }

  /** Begins a frame, or continues it. */
  begin(owner: Owner, frame: number): void {
    this.#owner = owner;
    this.#frame = frame;
    if (this.#explained.size > 0) this.#explained.clear();
  }

  /**
   * Rejects event `index`, `bytes[start, end)`.
   * @param cells offset of its stream's cells in the metrics
   * @param value the event, if it was parsed
   */
  event(
    index: number,
    code: EventCode,
    message: string,
    cells: number,
    bytes: Buffer,
    start: number,
    end: number,
    retryAfterMs?: number,
    value?: JsonObject,
  ): void {
    this.#violations?.rejected(cells, code, message, value);
    let text = message;
    if (!this.#explained.has(code)) {
      this.#explained.add(code);
      text = `event ${index}: ${message}`;
    }
    this.#report(index, code, text, message, cells, bytes, start, end, retryAfterMs, 1, value);
  }

  /** Rejects the frame, with this many events. @param bytes the frame, if it is at hand */
  whole(
    code: EventCode,
    message: string,
    cells: number,
    retryAfterMs?: number,
    events = 1,
    bytes?: Buffer,
  ): void {
    this.#violations?.rejected(cells, code, message, undefined, events);
    const end = bytes?.length ?? 0;
    this.#report(undefined, code, message, message, cells, bytes, 0, end, retryAfterMs, events);
  }

  #report(
    index: number | undefined,
    code: EventCode,
    message: string,
    reason: string,
    cells: number,
    bytes: Buffer | undefined,
    start: number,
    end: number,
    retryAfterMs: number | undefined,
    events: number,
    value?: JsonObject,
  ): void {
    this.reason = reason;
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.value = value;
    const [owner, frame] = [this.#owner, this.#frame];
    this.#onRejection(owner, frame, index, code, message, cells, retryAfterMs, events, this);
    this.bytes = undefined;
    this.value = undefined;
  }
}
