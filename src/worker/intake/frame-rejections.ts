import type { EventCode } from '../../common/errors.ts';
import type { JsonObject } from '../../common/json-object.ts';
import type { Owner } from '../accumulator/batch.ts';
import type { ViolationRecorder } from '../violation-recorder.ts';
import type { RejectionListener } from './rejection-listener.ts';

/** Reports the rejected events of a frame, or its rejection as a whole. */
export class FrameRejections {
  readonly #onRejection: RejectionListener;
  readonly #violations: Pick<ViolationRecorder, 'rejected'> | undefined;
  #owner!: Owner;
  #frame = 0;
  /** Codes of the frame with a message that names an event: clients receive one per code. */
  readonly #explained = new Set<EventCode>();

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
   * Rejects event `index`.
   * @param cells offset of its stream's cells in the metrics
   * @param value the event, if it was parsed
   */
  event(
    index: number,
    code: EventCode,
    message: string,
    cells: number,
    retryAfterMs?: number,
    value?: JsonObject,
  ): void {
    this.#violations?.rejected(cells, code, message, value);
    let text = message;
    if (!this.#explained.has(code)) {
      this.#explained.add(code);
      text = `event ${index}: ${message}`;
    }
    this.#onRejection(this.#owner, this.#frame, index, code, text, cells, retryAfterMs);
  }

  /** Rejects the frame, with this many events. */
  whole(code: EventCode, message: string, cells: number, retryAfterMs?: number, events = 1): void {
    this.#violations?.rejected(cells, code, message, undefined, events);
    const [owner, frame] = [this.#owner, this.#frame];
    this.#onRejection(owner, frame, undefined, code, message, cells, retryAfterMs, events);
  }
}
