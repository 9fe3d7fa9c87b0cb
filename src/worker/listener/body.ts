import { LIMITS } from '../../limits.ts';
import type { Budget } from '../accumulator/budget.ts';
import type { BodySource } from './held-body.ts';

/** A body that is read no further for now. */
interface Pause {
  /** Reads on. */
  resume(): void;
  /** The client is gone: there is nothing to read. */
  cancel(): void;
}

/** Bodies that are read no further since the buffer is pressed. */
export class PausedBodies {
  readonly #budget: Budget;
  #pauses = new Set<Pause>();

  constructor(budget: Budget) {
    this.#budget = budget;
    budget.onRelief(() => {
      const pauses = this.#pauses;
      this.#pauses = new Set();
      for (const pause of pauses) pause.resume();
    });
  }

  /**
   * Reads nothing more from `response` while the buffer is pressed, but not for long: what does
   * not fit then is refused.
   * @returns undefined when the buffer has room
   */
  pause(response: BodySource): Pause | undefined {
    if (!this.#budget.pressed) return undefined;
    const cancel = () => {
      clearTimeout(timer);
      this.#pauses.delete(pause);
    };
    const resume = () => {
      cancel();
      response.resume();
    };
    const pause = { resume, cancel };
    const timer = setTimeout(resume, LIMITS.bodyPauseMs);
    this.#pauses.add(pause);
    response.pause();
    return pause;
  }
}

/** What becomes of a body. */
export interface BodyReader {
  /** It is whole. @returns what is told when the client goes away from now on */
  whole(body: Buffer): { abort(): void };
  /** It has more than `LIMITS.bodyBytes`; no more of it is read. */
  tooLarge(): void;
  /** The client went away before. */
  gone(): void;
}

/** Gathers a body within its bound and hands it on, unless the client goes away before. */
export function readBody(response: BodySource, paused: PausedBodies, reader: BodyReader): void {
  let exchange: { abort(): void } | undefined;
  let chunks: Buffer[] = [];
  let bytes = 0;
  let over = false;
  let mayPause = true;
  let pause: Pause | undefined;
  response.onAborted(() => {
    pause?.cancel();
    if (exchange !== undefined) exchange.abort();
    else if (!over) reader.gone();
    over = true;
  });
  response.onData((chunk, isLast) => {
    if (over) return;
    bytes += chunk.byteLength;
    over = bytes > LIMITS.bodyBytes;
    // The connection may carry another request.
    if (over || isLast) pause?.resume();
    if (over) return reader.tooLarge();
    // The chunk's memory is gone when this handler returns.
    const view = Buffer.from(chunk);
    if (!isLast) {
      chunks.push(Buffer.from(view));
      if (mayPause) pause = paused.pause(response);
      mayPause &&= pause === undefined;
      return;
    }
    const body = chunks.length === 0 ? view : Buffer.concat([...chunks, view]);
    chunks = [];
    exchange = reader.whole(body);
  });
}
