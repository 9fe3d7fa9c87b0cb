import { LIMITS } from '../../limits.ts';

/** Share of what a connection may send in one turn from which on its turns are looked at. */
const WATCHED = 0.05;

/** What one connection has sent since the end of a turn of the event loop was last waited for. */
export class Flood {
  #messages = 0;
  #bytes = 0;
  /** The end of this turn is waited for. */
  #watched = false;

  /**
   * Counts a message. To learn when a turn ends costs one more: only if a connection has sent much
   * since the last time.
   * @returns whether the connection has sent more in this turn than one may, about
   */
  isFlooded(bytes: number): boolean {
    this.#messages++;
    this.#bytes += bytes;
    const { turnMessages, turnBytes } = LIMITS;
    if (this.#messages < turnMessages * WATCHED && this.#bytes < turnBytes * WATCHED) return false;
    if (!this.#watched) {
      this.#watched = true;
      setImmediate(() => {
        this.#watched = false;
        this.#messages = 0;
        this.#bytes = 0;
      });
    }
    return this.#messages > turnMessages || this.#bytes > turnBytes;
  }
}
