import { LIMITS } from '../../../config/limits.ts';
import type { Holding } from '../../overload/input-memory.ts';
import { Fifo, type Sliced, type Slicer } from '../slicer.ts';

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
export class FrameQueue implements Sliced {
  readonly isInput = true;
  readonly #slicer: Slicer;
  readonly #holding: Holding;
  readonly #decode: (frame: Frame) => void;
  readonly #failed: (error: unknown) => void;
  readonly #frames = new Fifo<Frame>();
  /** The slicer has it. */
  #isListed = false;
  #isOver = false;

  /**
   * @param decode takes a frame apart
   * @param failed is called with what it has thrown: the frames behind are dropped
   */
  constructor(
    slicer: Slicer,
    holding: Holding,
    decode: (frame: Frame) => void,
    failed: (error: unknown) => void,
  ) {
    this.#slicer = slicer;
    this.#holding = holding;
    this.#decode = decode;
    this.#failed = failed;
  }

  get length(): number {
    return this.#frames.length;
  }

  /** Bytes of the frames, and of what is kept of each. */
  get heldBytes(): number {
    return this.#holding.bytes;
  }

  /** @param frame its bytes must be a copy */
  push(frame: Frame): void {
    if (this.#isOver) return;
    this.#frames.push(frame);
    if (!this.#isListed) {
      this.#isListed = true;
      this.#slicer.add(this);
    }
    this.#holding.set(this.#holding.bytes + heldBytes(frame));
  }

  next(): boolean {
    let bytes = 0;
    while (bytes < LIMITS.atOnceBytes) {
      const frame = this.#frames.shift();
      if (frame === undefined) break;
      bytes += heldBytes(frame);
      this.#holding.set(this.#holding.bytes - heldBytes(frame));
      this.#decode(frame);
    }
    this.#isListed = this.#frames.length > 0;
    if (this.#isOver && !this.#isListed) this.#holding.release();
    return this.#isListed;
  }

  failed(error: unknown): void {
    this.#isListed = false;
    this.drop();
    this.#failed(error);
  }

  /** Takes no more frames; those that wait are taken apart. */
  finish(): void {
    this.#isOver = true;
    if (this.#frames.length === 0) this.#holding.release();
  }

  /** Forgets the frames, and those that would come. */
  drop(): void {
    this.#isOver = true;
    this.#frames.clear();
    this.#holding.release();
  }
}

function heldBytes({ bytes }: Frame): number {
  return bytes.length + LIMITS.frameOverheadBytes;
}
