import { LIMITS } from '../../../config/limits.ts';
import type { Allocation } from '../../overload/input-memory.ts';
import { Fifo, type SlicedTask, type Slicer } from '../slicer.ts';

/** A frame as it came. */
export interface Frame {
  readonly bytes: Buffer;
  readonly isBinary: boolean;
  /** Its number; it has begun in the stream of its connection. */
  readonly number: number;
  /** By the monotonic clock; undefined = now. */
  readonly arrivedMs: number | undefined;
  /** It came when the grace of its connection was over. */
  readonly tooLate: boolean;
}

/** Frames of one connection that wait for a turn of the loop with time for them. */
export class FrameQueue implements SlicedTask {
  readonly isInput = true;
  readonly #slicer: Slicer;
  readonly #allocation: Allocation;
  readonly #decode: (frame: Frame) => void;
  readonly #failed: (error: unknown) => void;
  readonly #frames = new Fifo<Frame>();
  /** The slicer has it. */
  #isScheduled = false;
  #isFinished = false;

  /**
   * @param decode takes a frame apart
   * @param failed is called with what it has thrown: the frames behind are dropped
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

  /** Bytes of the frames, and of what is kept of each. */
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
    while (bytes < LIMITS.atOnceBytes) {
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

  /** Takes no more frames; those that wait are taken apart. */
  finish(): void {
    this.#isFinished = true;
    if (this.#frames.length === 0) this.#allocation.release();
  }

  /** Forgets the frames, and those that would come. */
  drop(): void {
    this.#isFinished = true;
    this.#frames.clear();
    this.#allocation.release();
  }
}

function heldBytes({ bytes }: Frame): number {
  return bytes.length + LIMITS.frameOverheadBytes;
}
