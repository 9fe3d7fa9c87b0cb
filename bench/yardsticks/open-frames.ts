/** A frame whose events are being stored. */
export interface OpenFrame {
  /** Number in its connection, from 1. */
  readonly number: number;
  /** Events that are not stored yet. */
  missing: number;
}

/**
 * Frames of one connection in the order of arrival. Kafka clients may complete them in another
 * order, but an ack covers all previous frames: a frame waits for those before it.
 */
export class OpenFrames {
  readonly #frames: OpenFrame[] = [];

  add(frame: OpenFrame): void {
    this.#frames.push(frame);
  }

  /**
   * Counts one stored event of a frame.
   * @returns the last frame up to which everything is stored; undefined = no other than before
   */
  stored(frame: OpenFrame): number | undefined {
    frame.missing--;
    let last: number | undefined;
    while (this.#frames[0]?.missing === 0) last = this.#frames.shift()!.number;
    return last;
  }
}
