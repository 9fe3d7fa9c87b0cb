import type { Stream } from '../streams/stream.ts';

/** State of a frame decoded in slices, carried from one slice to the next. */
export interface FrameProgress {
  /** Arrival, ms since 1970. */
  readonly arrivalTime: number;
  /** The buffer accepted no frames of the stream when this one arrived. */
  readonly noRoom: boolean;
  /** Whether it did at the frame's first event of a stream; undefined = one stream for all. */
  readonly routedRoom: Map<Stream, boolean> | undefined;
  /** Count and last index of the events rejected by a rate limit. */
  readonly rateLimited: number;
  /** Count of the events rejected by a rate limit of their stream; undefined = none were. */
  readonly streamLimited: Map<Stream, number> | undefined;
  readonly lastLimited: number;
  /** Count of events that the decoder or the schema rejected, and bytes of all others. */
  readonly rejected: number;
  readonly validBytes: number;
}
