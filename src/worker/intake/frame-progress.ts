import type { Stream } from '../streams/stream.ts';
import type { RateProgress } from './frame-rate.ts';
import type { RoomProgress } from './frame-room.ts';

/** State of a frame decoded in slices, carried from one slice to the next. */
export interface FrameProgress {
  /** Arrival, ms since 1970. */
  readonly arrivalTime: number;
  readonly room: RoomProgress;
  readonly rate: RateProgress;
  /** Count of the events rejected by a rate limit of their stream; undefined = none were. */
  readonly streamLimited: Map<Stream, number> | undefined;
}
