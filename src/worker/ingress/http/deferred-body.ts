import { LIMITS } from '../../../config/limits.ts';
import type { Identity, NotAdmitted, Verdict } from '../../admission/identity.ts';
import type { ChunkWatch } from '../../overload/flood.ts';
import type { Holding, InputMemory } from '../../overload/input-memory.ts';
import type { HttpResponse } from '../uws.ts';
import { standsFor } from './framing.ts';

/** That of a response which a body is read from. */
export interface BodySource {
  onAborted(handler: () => void): unknown;
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): unknown;
  pause(): void;
  resume(): void;
}

/** What is heard of the verdict. */
export interface HeldOutcome {
  admitted(sender: Identity): void;
  /** The sender is not let in: the reader has heard that nothing comes any more. */
  refused(code: NotAdmitted): void;
  /** Memory was short, and its own was taken back: the reader has heard that nothing comes. */
  evicted(): void;
  /** It arrives in a flood of tiny chunks: its connection is closed. */
  flooded(): void;
  /** Something that was told has thrown this. */
  failed(error: unknown): void;
}

type Chunk = readonly [bytes: ArrayBuffer, isLast: boolean];

/**
 * A body that is read only when its sender is let in. uWebSockets.js wants handlers before the
 * request's own returns; what it has read from the socket already comes all the same, and is kept.
 */
export class HeldBody implements BodySource {
  readonly #response: HttpResponse;
  /** Charged for what is kept until the verdict. */
  readonly #holding: Holding;
  #chunks: Chunk[] | undefined = [];
  #over = false;
  #aborted: (() => void) | undefined;
  #data: ((bytes: ArrayBuffer, isLast: boolean) => void) | undefined;

  constructor(
    response: HttpResponse,
    verdict: Promise<Verdict>,
    memory: InputMemory,
    chunks: ChunkWatch,
    outcome: HeldOutcome,
  ) {
    this.#response = response;
    this.#holding = memory.hold(() => {
      // The end of a connection with bytes unread is a reset.
      response.resume();
      this.#endUnread();
      outcome.evicted();
    });
    standsFor(this, response);
    response.onAborted(() => {
      if (!this.#over) this.#endUnread();
    });
    response.onData((bytes, isLast) => {
      if (this.#over) return;
      if (this.#chunks === undefined) return this.#data?.(bytes, isLast);
      if (chunks.isFlood(bytes.byteLength)) return outcome.flooded();
      // Its memory is gone when this handler returns.
      this.#chunks.push([bytes.slice(0), isLast]);
      const kept = bytes.byteLength + LIMITS.chunkOverheadBytes;
      this.#holding.set(this.#holding.bytes + kept);
    });
    response.pause();
    verdict.then((decided) => this.#decide(decided, outcome)).catch(outcome.failed);
  }

  onAborted(handler: () => void): void {
    this.#aborted = handler;
  }

  onData(handler: (bytes: ArrayBuffer, isLast: boolean) => void): void {
    this.#data = handler;
  }

  pause(): void {
    if (this.#chunks === undefined) this.#response.pause();
  }

  /** Not before the verdict: more would come, without a bound. */
  resume(): void {
    if (this.#chunks === undefined) this.#response.resume();
  }

  /** It is answered already: the verdict is of no use any more. */
  forget(): void {
    this.#over = true;
    if (this.#chunks !== undefined) this.#chunks = [];
    this.#holding.release();
  }

  /** Nothing comes any more, and the reader hears so. */
  #endUnread(): void {
    this.forget();
    this.#aborted?.();
  }

  #decide(verdict: Verdict, { admitted, refused }: HeldOutcome): void {
    if (this.#over) return;
    const chunks = this.#chunks ?? [];
    this.#chunks = undefined;
    this.#holding.release();
    this.#response.resume();
    if (typeof verdict === 'string') {
      this.#endUnread();
      refused(verdict);
      return;
    }
    admitted(verdict);
    for (const [bytes, isLast] of chunks) this.#data?.(bytes, isLast);
  }
}
