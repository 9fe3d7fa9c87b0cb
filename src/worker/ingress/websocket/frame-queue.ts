import { LIMITS } from '../../../config/limits.ts';
import type { Allocation } from '../../overload/input-memory.ts';
import type { Route } from '../../streams/route.ts';
import { Fifo, type SlicedTask, type Slicer } from '../slicer.ts';

/** A frame as received. */
export interface Frame {
  readonly bytes: Buffer;
  readonly isBinary: boolean;
  /** Its number in the stream of its connection, where it has begun. */
  readonly number: number;
  /** By the monotonic clock; undefined = now. */
  readonly arrivedMs: number | undefined;
  /** Destination of its events, fixed when it arrived. */
  readonly route: Route;
  /** Received after the grace period of its connection. */
  readonly tooLate: boolean;
}

/** Frames of one connection that wait for a turn of the event loop with time left. */
export class FrameQueue implements SlicedTask {
  readonly isInput = true;
  readonly #slicer: Slicer;
  readonly #allocation: Allocation;
  readonly #decode: (frame: Frame) => void;
  readonly #failed: (error: unknown) => void;
  readonly #frames = new Fifo<Frame>();
  /** The queue is in the slicer. */
  #isScheduled = false;
  #isFinished = false;

  /**
   * @param decode decodes one frame
   * @param failed called with an error thrown by `decode`; the frames behind are dropped
   */
  constructor(
    slicer: Slicer,
    allocation: Allocation,
    decode: (frame: Frame) => void,
    failed: (error: unknown) => void,
  ) {
    this.#slicer = slicer;
    this.#allocation = allocation;
    this.#decode = decode;
    this.#failed = failed;
  }

  get length(): number {
    return this.#frames.length;
  }

  /** Arrival of its first frame, on the monotonic clock; infinite without frames. */
  get oldestMs(): number {
    return this.#frames.first?.arrivedMs ?? Number.POSITIVE_INFINITY;
  }

  /** Bytes of the frames, including overhead. */
  get heldBytes(): number {
    return this.#allocation.bytes;
  }

  /** @param frame its bytes must be a copy */
  push(frame: Frame): void {
    if (this.#isFinished) return;
    this.#frames.push(frame);
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      this.#slicer.add(this);
    }
    this.#allocation.resize(this.#allocation.bytes + heldBytes(frame));
  }

  next(): boolean {
    let bytes = 0;
    while (bytes < LIMITS.oneShotBytes) {
      const frame = this.#frames.shift();
      if (frame === undefined) break;
      bytes += heldBytes(frame);
      this.#allocation.resize(this.#allocation.bytes - heldBytes(frame));
      this.#decode(frame);
    }
    this.#isScheduled = this.#frames.length > 0;
    if (this.#isFinished && !this.#isScheduled) this.#allocation.release();
    return this.#isScheduled;
  }

  failed(error: unknown): void {
    this.#isScheduled = false;
    this.drop();
    this.#failed(error);
  }

  /** Ignores new frames; queued ones are still decoded. */
  finish(): void {
    this.#isFinished = true;
    if (this.#frames.length === 0) this.#allocation.release();
  }

  /** Drops queued frames and ignores new ones. */
  drop(): void {
    this.#isFinished = true;
    this.#frames.clear();
    this.#allocation.release();
  }
}

function heldBytes({ bytes }: Frame): number {
  return bytes.length + LIMITS.frameOverheadBytes;
}
