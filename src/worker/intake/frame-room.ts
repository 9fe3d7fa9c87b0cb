import type { RecordSink } from '../accumulator/accumulator.ts';
import type { Stream } from '../streams/stream.ts';

/** State of {@link FrameRoom} between two slices of a frame. */
export interface RoomProgress {
  readonly stream: Stream | undefined;
  readonly isFull: boolean;
  readonly routed: Map<Stream, boolean> | undefined;
}

/**
 * Whether the buffer accepts the events of a frame: decided for all of a stream's at once, when the
 * frame begins or at the first event that its route assigns to the stream.
 */
export class FrameRoom {
  readonly #accumulator: RecordSink;
  #stream: Stream | undefined;
  #isFull = false;
  #routed: Map<Stream, boolean> | undefined;

  constructor(accumulator: RecordSink) {
    this.#accumulator = accumulator;
  }

  /** Begins a frame. @param stream of all its events; undefined = its route selects them */
  begin(stream: Stream | undefined): void {
    this.#stream = stream;
    this.#isFull = stream !== undefined && !this.#accumulator.acceptsFrames(stream.topic);
    this.#routed = undefined;
  }

  /** Continues a frame. */
  resume({ stream, isFull, routed }: RoomProgress): void {
    this.#stream = stream;
    this.#isFull = isFull;
    this.#routed = routed;
  }

  get progress(): RoomProgress {
    return { stream: this.#stream, isFull: this.#isFull, routed: this.#routed };
  }

  /** All events of the frame belong to one stream, for which the buffer accepts none of them. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Whether the buffer accepts an event of a stream. */
  has(stream: Stream): boolean {
    if (stream === this.#stream) return !this.#isFull;
    this.#routed ??= new Map();
    let hasRoom = this.#routed.get(stream);
    if (hasRoom === undefined) {
      hasRoom = this.#accumulator.acceptsFrames(stream.topic);
      this.#routed.set(stream, hasRoom);
    }
    return hasRoom;
  }
}
