import { takeToken, waitMs } from '../admission/token-bucket.ts';
import type { Stream } from '../streams/stream.ts';

/** Rate limits of the streams of a frame. */
export class StreamRates {
  #nowMs = 0;
  #limited: Map<Stream, number> | undefined;

  /** Begins a frame. */
  begin(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#limited = undefined;
  }

  /** Continues a frame that {@link begin} has begun again. @param limited its {@link progress} */
  resume(limited: Map<Stream, number> | undefined): void {
    this.#limited = limited;
  }

  /** Count of the events rejected by the limit of their stream; undefined = none were. */
  get progress(): Map<Stream, number> | undefined {
    return this.#limited;
  }

  /**
   * Takes a token of the stream of an event.
   * @returns ms until all events of the frame without a token can be sent again; undefined = it has
   * one
   */
  take(stream: Stream): number | undefined {
    const { buckets } = stream;
    if (buckets === undefined || takeToken(buckets, this.#nowMs)) return undefined;
    this.#limited ??= new Map();
    const limited = (this.#limited.get(stream) ?? 0) + 1;
    this.#limited.set(stream, limited);
    return waitMs(buckets, limited);
  }
}
