import { LIMITS } from '../../limits.ts';
import type { Budget } from '../accumulator/budget.ts';
import type { BodyWatch } from './body-watch.ts';
import { endsConnection } from './framing.ts';
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
  /** It has not come within its time. */
  late(): void;
  /** The client went away before. */
  gone(): void;
}

/**
 * Gathers a body within its bounds of bytes and time and hands it on, unless the client goes away
 * before.
 */
export function readBody(
  response: BodySource,
  paused: PausedBodies,
  watch: BodyWatch,
  reader: BodyReader,
): void {
  let exchange: { abort(): void } | undefined;
  let chunks: Buffer[] = [];
  let bytes = 0;
  let over = false;
  let mayPause = true;
  let pause: Pause | undefined;
  // To end a connection with bytes unread resets it: the client might not hear why.
  const skipBytes = endsConnection(response) ? LIMITS.bodySkipBytes : 0;
  const arriving = {
    looks: 0,
    place: -1,
    // A pause is over by then.
    prolong: () => response.resume(),
    late: () => {
      end();
      reader.late();
    },
  };
  const end = () => {
    over = true;
    watch.remove(arriving);
    pause?.cancel();
  };
  watch.add(arriving);
  response.onAborted(() => {
    if (exchange !== undefined) exchange.abort();
    else if (!over) {
      end();
      reader.gone();
    }
  });
  response.onData((chunk, isLast) => {
    if (over) return;
    bytes += chunk.byteLength;
    const isTooLarge = bytes > LIMITS.bodyBytes;
    if (isTooLarge && !isLast && bytes <= LIMITS.bodyBytes + skipBytes) {
      chunks = [];
      return;
    }
    // The connection may carry another request.
    if (isTooLarge || isLast) pause?.resume();
    if (isTooLarge) {
      end();
      return reader.tooLarge();
    }
    // The chunk's memory is gone when this handler returns.
    const view = Buffer.from(chunk);
    if (!isLast) {
      chunks.push(Buffer.from(view));
      if (mayPause) pause = paused.pause(response);
      mayPause &&= pause === undefined;
      return;
    }
    end();
    const body = chunks.length === 0 ? view : Buffer.concat([...chunks, view]);
    chunks = [];
    exchange = reader.whole(body);
  });
}
