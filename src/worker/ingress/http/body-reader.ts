import { KIB, LIMITS } from '../../../config/limits.ts';
import type { Budget } from '../../accumulator/budget.ts';
import { ChunkFloodDetector } from '../../overload/flood.ts';
import type { Allocation, InputMemory } from '../../overload/input-memory.ts';
import type { TurnBudget } from '../../overload/turn-budget.ts';
import { Fifo } from '../slicer.ts';
import type { BodyTimeouts, IncomingBody } from './body-timeouts.ts';
import type { BodySource } from './deferred-body.ts';
import { endsConnection } from './framing.ts';

type Turn = Pick<TurnBudget, 'spend' | 'number' | 'spent' | 'overlong' | 'afterTurn'>;

/** A body whose reading is paused. */
interface Pause {
  /** Neither resumed nor canceled. */
  readonly active: boolean;
  /** Time for which it waited for the buffer, in ms. */
  readonly waitedMs: number;
  /** Resumes reading, if paused. */
  resume(): void;
  /** Ends the pause without reading: the client has disconnected. */
  cancel(): void;
}

/** A pause until the buffer of the body is below its low-water mark. */
interface ReliefPause extends Pause {
  /** Resumes reading, if the buffer is not under pressure any more. */
  check(): void;
}

/** Bodies paused while their buffer is above its high-water mark or the turn has no time left. */
export class PausedBodies {
  readonly #turn: Turn;
  readonly #pauses = new Set<ReliefPause>();
  /** Bodies that wait for another turn. */
  readonly #turns = new Fifo<Pause>();

  /** @param budget the end of its pressure, or of a share's, may end the pauses of bodies */
  constructor(budget: Pick<Budget, 'onPressureEnd'>, turn: Turn) {
    this.#turn = turn;
    budget.onPressureEnd(() => this.#checkAll());
  }

  #checkAll(): void {
    for (const pause of this.#pauses) pause.check();
  }

  /** Copying large bodies would prolong this turn even more. */
  get skipsLargeBodies(): boolean {
    return this.#turn.overlong;
  }

  /** Creates the detector for the chunks of one body. */
  createFloodDetector(): ChunkFloodDetector {
    return new ChunkFloodDetector(this.#turn);
  }

  /**
   * Pauses `response` while its buffer is above its high-water mark, for up to `leftMs`: events that
   * do not fit then are rejected. Also pauses it while the turn has no time left.
   * @returns undefined if reading goes on
   */
  pause(
    response: BodySource,
    handler: Pick<BodyHandler, 'isPressed'>,
    leftMs: number,
  ): Pause | undefined {
    if (leftMs > 0 && handler.isPressed()) return this.#untilRelief(response, handler, leftMs);
    return this.#turn.spent ? this.#untilLaterTurn(response) : undefined;
  }

  #untilRelief(
    response: BodySource,
    handler: Pick<BodyHandler, 'isPressed'>,
    leftMs: number,
  ): Pause {
    const sinceMs = performance.now();
    const cancel = () => {
      clearTimeout(timer);
      pause.active = false;
      pause.waitedMs ||= performance.now() - sinceMs;
      this.#pauses.delete(pause);
    };
    const resume = () => {
      if (!pause.active) return;
      cancel();
      response.resume();
    };
    const check = () => {
      if (!handler.isPressed()) resume();
    };
    const pause = { active: true, waitedMs: 0, resume, cancel, check };
    const timer = setTimeout(() => {
      pause.waitedMs = leftMs;
      resume();
    }, leftMs);
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
    const pause = { active: true, waitedMs: 0, resume, cancel };
    this.#turns.push(pause);
    if (this.#turns.length === 1) this.#turn.afterTurn(() => this.#resumeSome());
    response.pause();
    return pause;
  }

  /** Resumes a few per turn: the network may have buffered much of each. */
  #resumeSome(): void {
    for (let left = LIMITS.resumedBodies; left > 0; left--) this.#turns.shift()?.resume();
    if (this.#turns.length > 0) this.#turn.afterTurn(() => this.#resumeSome());
  }
}

/** Receives the result of reading a body: one method is called once, except `isPressed`. */
export interface BodyHandler {
  /** Whether the buffer of its events is above its high-water mark. */
  isPressed(): boolean;
  /** The body is complete. @returns the handler of a client that disconnects later */
  complete(body: Buffer): { abort(): void };
  /**
   * The body is complete, but was not kept: it arrived in a turn that took too much time.
   * @param bytes its length
   * @returns the handler of a client that disconnects later
   */
  skipped(bytes: number): { abort(): void };
  /** The body exceeds `LIMITS.bodyBytes`; reading stops. */
  tooLarge(): void;
  /** The body arrived too slowly. */
  timedOut(): void;
  /** The body was evicted because memory was short. */
  evicted(): void;
  /** The body arrives as a flood of tiny chunks: close its connection, which calls `aborted`. */
  flooded(): void;
  /** The client disconnected before the body was complete. */
  aborted(): void;
}

/**
 * Reads a body within its bounds of bytes, rate and memory, and passes it to `handler`, unless the
 * client disconnects before.
 */
export function readBody(
  response: BodySource,
  paused: PausedBodies,
  timeouts: BodyTimeouts,
  memory: InputMemory,
  handler: BodyHandler,
): void {
  const reader = new BodyReader(response, paused, timeouts, memory, handler);
  timeouts.add(reader);
  response.onAborted(() => reader.abort());
  response.onData((chunk, isLast) => reader.receive(chunk, isLast));
}

/** A body being read. A class: V8 takes far longer to create an object literal with accessors. */
class BodyReader implements IncomingBody {
  bytes = 0;
  checkedBytes = 0;
  checks = 0;
  leftMs: number = LIMITS.bodyGraceMs;
  index = -1;
  readonly #response: BodySource;
  readonly #paused: PausedBodies;
  readonly #timeouts: BodyTimeouts;
  readonly #handler: BodyHandler;
  readonly #gathered = new ChunkBuffer();
  readonly #chunks: ChunkFloodDetector;
  readonly #allocation: Allocation;
  /** Bytes read beyond the limit: closing a connection with unread bytes resets it. */
  readonly #skipBytes: number;
  #receivedBytes = 0;
  #ended = false;
  /** Time for which it may still wait for the buffer, in ms. */
  #waitMs: number = LIMITS.bodyPauseMs;
  #isSkipped = false;
  #pause: Pause | undefined;
  #pendingResponse: { abort(): void } | undefined;

  constructor(
    response: BodySource,
    paused: PausedBodies,
    timeouts: BodyTimeouts,
    memory: InputMemory,
    handler: BodyHandler,
  ) {
    this.#response = response;
    this.#paused = paused;
    this.#timeouts = timeouts;
    this.#handler = handler;
    this.#chunks = paused.createFloodDetector();
    this.#allocation = memory.allocate(() => this.#evicted());
    this.#skipBytes = endsConnection(response) ? LIMITS.bodySkipBytes : 0;
  }

  get paused(): boolean {
    return this.#pause?.active ?? false;
  }

  keepAlive(): void {
    // Without a pause, `resume` stops reading in uWebSockets.js.
    this.#response.pause();
    this.#response.resume();
  }

  timedOut(): void {
    this.#end();
    this.#gathered.clear();
    this.#handler.timedOut();
  }

  abort(): void {
    if (this.#pendingResponse !== undefined) return this.#pendingResponse.abort();
    if (this.#ended) return;
    this.#end();
    this.#handler.aborted();
  }

  receive(chunk: ArrayBuffer, isLast: boolean): void {
    if (this.#ended) return;
    if (this.#chunks.isFlood(chunk.byteLength)) return this.#handler.flooded();
    this.#receivedBytes += chunk.byteLength;
    const bytes = this.#receivedBytes;
    const isTooLarge = bytes > LIMITS.bodyBytes;
    // Skipped bytes earn no time.
    this.bytes = Math.min(bytes, LIMITS.bodyBytes);
    if (isTooLarge && !isLast && bytes <= LIMITS.bodyBytes + this.#skipBytes) {
      this.#gathered.clear();
      this.#allocation.resize(0);
      return;
    }
    // The connection may carry another request.
    if (isTooLarge || isLast) this.#pause?.resume();
    if (isTooLarge) {
      this.#end();
      return this.#handler.tooLarge();
    }
    // The chunk's memory is valid only during this handler.
    const view = Buffer.from(chunk);
    this.#isSkipped ||= bytes > LIMITS.oneShotBytes && this.#paused.skipsLargeBodies;
    if (this.#isSkipped) this.#gathered.clear();
    if (!isLast) return this.#gather(view);
    this.#end();
    this.#pendingResponse = this.#isSkipped
      ? this.#handler.skipped(bytes)
      : this.#handler.complete(this.#gathered.endingWith(view));
    this.#gathered.clear();
  }

  #evicted(): void {
    // After a response, reading must go on: otherwise the close is a reset.
    this.#pause?.resume();
    this.#end();
    this.#gathered.clear();
    this.#handler.evicted();
  }

  /** Keeps a chunk, and pauses reading if necessary. */
  #gather(view: Buffer): void {
    if (!this.#isSkipped) this.#gathered.add(view);
    this.#allocation.resize(this.#gathered.allocatedBytes);
    if (this.#ended || this.paused) return;
    this.#waitMs -= this.#pause?.waitedMs ?? 0;
    this.#pause = this.#paused.pause(this.#response, this.#handler, this.#waitMs);
  }

  #end(): void {
    this.#ended = true;
    this.#timeouts.remove(this);
    this.#pause?.cancel();
    this.#allocation.release();
  }
}

/** Minimum capacity for the first chunk. */
const FIRST_BYTES = 4 * KIB;

/**
 * The chunks of a body in one buffer, which doubles when full: a buffer per chunk would take many
 * times the bytes of small chunks.
 */
class ChunkBuffer {
  #buffer: Buffer | undefined;
  #bytes = 0;

  /** Capacity of the buffer, which may be partly unused. */
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

  /** Returns the whole body; a single chunk is not copied. */
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
