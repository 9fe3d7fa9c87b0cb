import { KIB, LIMITS } from '../../../config/limits.ts';
import type { Budget } from '../../accumulator/budget.ts';
import { ChunkFloodDetector } from '../../overload/flood.ts';
import type { InputMemory } from '../../overload/input-memory.ts';
import type { TurnBudget } from '../../overload/turn-budget.ts';
import { Fifo } from '../slicer.ts';
import { type BodyTimeouts, initialState } from './body-timeouts.ts';
import type { BodySource } from './deferred-body.ts';
import { endsConnection } from './framing.ts';

type Turn = Pick<TurnBudget, 'spend' | 'number' | 'spent' | 'afterTurn'>;

/** A body that is read no further for now. */
interface Pause {
  /** It is neither over nor canceled. */
  readonly active: boolean;
  /** The buffer is pressed. */
  readonly isPressed: boolean;
  /** Reads on, unless it does already. */
  resume(): void;
  /** The client is gone: there is nothing to read. */
  cancel(): void;
}

/** Bodies that are read no further for now: the buffer is pressed, or the turn has no time left. */
export class PausedBodies {
  readonly #budget: Budget;
  readonly #turn: Turn;
  #pauses = new Set<Pause>();
  /** Those that wait for another turn. */
  readonly #turns = new Fifo<Pause>();

  constructor(budget: Budget, turn: Turn) {
    this.#budget = budget;
    this.#turn = turn;
    budget.onRelief(() => {
      const pauses = this.#pauses;
      this.#pauses = new Set();
      for (const pause of pauses) pause.resume();
    });
  }

  /** Watches the chunks of one body. */
  createFloodDetector(): ChunkFloodDetector {
    return new ChunkFloodDetector(this.#turn);
  }

  /**
   * Reads nothing more from `response` while the buffer is pressed, but not for long: what does
   * not fit then is refused. Or while the turn has no time left.
   * @param mayWaitForBuffer whether the body may be paused as long as the buffer is pressed
   * @returns undefined when it is read on
   */
  pause(response: BodySource, mayWaitForBuffer: boolean): Pause | undefined {
    if (mayWaitForBuffer && this.#budget.pressed) return this.#untilRelief(response);
    return this.#turn.spent ? this.#untilLaterTurn(response) : undefined;
  }

  #untilRelief(response: BodySource): Pause {
    const cancel = () => {
      clearTimeout(timer);
      pause.active = false;
      this.#pauses.delete(pause);
    };
    const resume = () => {
      if (!pause.active) return;
      cancel();
      response.resume();
    };
    const pause = { active: true, isPressed: true, resume, cancel };
    const timer = setTimeout(resume, LIMITS.bodyPauseMs);
    this.#pauses.add(pause);
    response.pause();
    return pause;
  }

  #untilLaterTurn(response: BodySource): Pause {
    const cancel = () => {
      pause.active = false;
    };
    const resume = () => {
      if (!pause.active) return;
      cancel();
      response.resume();
    };
    const pause = { active: true, isPressed: false, resume, cancel };
    this.#turns.push(pause);
    if (this.#turns.length === 1) this.#turn.afterTurn(() => this.#resumeSome());
    response.pause();
    return pause;
  }

  /** Few in each turn: the network may have brought much of each meanwhile. */
  #resumeSome(): void {
    for (let left = LIMITS.resumedBodies; left > 0; left--) this.#turns.shift()?.resume();
    if (this.#turns.length > 0) this.#turn.afterTurn(() => this.#resumeSome());
  }
}

/** What becomes of a body. */
export interface BodyHandler {
  /** It is whole. @returns what is told when the client goes away from now on */
  complete(body: Buffer): { abort(): void };
  /** It has more than `LIMITS.bodyBytes`; no more of it is read. */
  tooLarge(): void;
  /** It has come too slowly. */
  timedOut(): void;
  /** Memory was short, and its own was taken back. */
  evicted(): void;
  /** It arrives in a flood of tiny chunks: its connection is closed, which calls `gone`. */
  flooded(): void;
  /** The client went away before. */
  aborted(): void;
}

/**
 * Gathers a body within its bounds of bytes, rate and memory and hands it on, unless the client
 * goes away before.
 */
export function readBody(
  response: BodySource,
  paused: PausedBodies,
  timeouts: BodyTimeouts,
  memory: InputMemory,
  handler: BodyHandler,
): void {
  let pendingResponse: { abort(): void } | undefined;
  const gathered = new ChunkBuffer();
  const chunks = paused.createFloodDetector();
  let bytes = 0;
  let ended = false;
  let mayPause = true;
  let pause: Pause | undefined;
  // To end a connection with bytes unread resets it: the client might not hear why.
  const skipBytes = endsConnection(response) ? LIMITS.bodySkipBytes : 0;
  const incoming = {
    ...initialState(),
    get paused() {
      return pause?.active ?? false;
    },
    keepAlive: () => {
      // Resumed without a pause, uWebSockets.js reads nothing more.
      response.pause();
      response.resume();
    },
    timedOut: () => {
      end();
      gathered.clear();
      handler.timedOut();
    },
  };
  const end = () => {
    ended = true;
    timeouts.remove(incoming);
    pause?.cancel();
    allocation.release();
  };
  const allocation = memory.allocate(() => {
    // Whoever is answered must be read on, or the end of the connection is a reset.
    pause?.resume();
    end();
    gathered.clear();
    handler.evicted();
  });
  timeouts.add(incoming);
  response.onAborted(() => {
    if (pendingResponse !== undefined) pendingResponse.abort();
    else if (!ended) {
      end();
      handler.aborted();
    }
  });
  response.onData((chunk, isLast) => {
    if (ended) return;
    if (chunks.isFlood(chunk.byteLength)) return handler.flooded();
    bytes += chunk.byteLength;
    const isTooLarge = bytes > LIMITS.bodyBytes;
    // What is skipped buys no time.
    incoming.bytes = Math.min(bytes, LIMITS.bodyBytes);
    if (isTooLarge && !isLast && bytes <= LIMITS.bodyBytes + skipBytes) {
      gathered.clear();
      allocation.resize(0);
      return;
    }
    // The connection may carry another request.
    if (isTooLarge || isLast) pause?.resume();
    if (isTooLarge) {
      end();
      return handler.tooLarge();
    }
    // The chunk's memory is gone when this handler returns.
    const view = Buffer.from(chunk);
    if (!isLast) {
      gathered.add(view);
      allocation.resize(gathered.allocatedBytes);
      if (ended || pause?.active) return;
      pause = paused.pause(response, mayPause);
      mayPause &&= !(pause?.isPressed ?? false);
      return;
    }
    end();
    pendingResponse = handler.complete(gathered.endingWith(view));
    gathered.clear();
  });
}

/** Room for the first chunk, at least. */
const FIRST_BYTES = 4 * KIB;

/**
 * The chunks of a body in one buffer, which doubles when it is full: a buffer for each would take
 * many times its bytes where they come one by one.
 */
class ChunkBuffer {
  #buffer: Buffer | undefined;
  #bytes = 0;

  /** Bytes of the buffer, of which not all may be used. */
  get allocatedBytes(): number {
    return this.#buffer?.length ?? 0;
  }

  add(chunk: Buffer): void {
    const bytes = this.#bytes + chunk.length;
    if (this.#buffer === undefined || bytes > this.#buffer.length) {
      const room = Math.max(FIRST_BYTES, bytes, 2 * this.#bytes);
      const grown = Buffer.allocUnsafeSlow(Math.min(room, LIMITS.bodyBytes));
      this.#buffer?.copy(grown, 0, 0, this.#bytes);
      this.#buffer = grown;
    }
    this.#buffer.set(chunk, this.#bytes);
    this.#bytes = bytes;
  }

  /** @returns all of it; the last chunk alone is not copied */
  endingWith(last: Buffer): Buffer {
    if (this.#buffer === undefined) return last;
    this.add(last);
    return this.#buffer.subarray(0, this.#bytes);
  }

  clear(): void {
    this.#buffer = undefined;
    this.#bytes = 0;
  }
}
