import { LIMITS } from '../../../config/limits.ts';
import type { AuthFailure, AuthResult, Identity } from '../../admission/identity.ts';
import type { ChunkFloodDetector } from '../../overload/flood.ts';
import type { Allocation, InputMemory } from '../../overload/input-memory.ts';
import type { HttpResponse } from '../uws.ts';
import { inheritClosing } from './framing.ts';

/** That of a response which a body is read from. */
export interface BodySource {
  onAborted(handler: () => void): unknown;
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): unknown;
  pause(): void;
  resume(): void;
}

/** What is heard of the verdict. */
export interface DeferredBodyHandler {
  authenticated(sender: Identity): void;
  /** The sender is not let in: the reader has heard that nothing comes any more. */
  rejected(code: AuthFailure): void;
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
export class DeferredBody implements BodySource {
  readonly #response: HttpResponse;
  /** Charged for what is kept until the verdict. */
  readonly #allocation: Allocation;
  #chunks: Chunk[] | undefined = [];
  #ended = false;
  #aborted: (() => void) | undefined;
  #data: ((bytes: ArrayBuffer, isLast: boolean) => void) | undefined;

  constructor(
    response: HttpResponse,
    auth: Promise<AuthResult>,
    memory: InputMemory,
    chunks: ChunkFloodDetector,
    handler: DeferredBodyHandler,
  ) {
    this.#response = response;
    this.#allocation = memory.allocate(() => {
      // The end of a connection with bytes unread is a reset.
      response.resume();
      this.#abortReader();
      handler.evicted();
    });
    inheritClosing(this, response);
    response.onAborted(() => {
      if (!this.#ended) this.#abortReader();
    });
    response.onData((bytes, isLast) => {
      if (this.#ended) return;
      if (this.#chunks === undefined) return this.#data?.(bytes, isLast);
      if (chunks.isFlood(bytes.byteLength)) return handler.flooded();
      // Its memory is gone when this handler returns.
      this.#chunks.push([bytes.slice(0), isLast]);
      const charged = bytes.byteLength + LIMITS.chunkOverheadBytes;
      this.#allocation.resize(this.#allocation.bytes + charged);
    });
    response.pause();
    auth.then((decided) => this.#decide(decided, handler)).catch(handler.failed);
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
  discard(): void {
    this.#ended = true;
    if (this.#chunks !== undefined) this.#chunks = [];
    this.#allocation.release();
  }

  /** Nothing comes any more, and the reader hears so. */
  #abortReader(): void {
    this.discard();
    this.#aborted?.();
  }

  #decide(auth: AuthResult, { authenticated, rejected }: DeferredBodyHandler): void {
    if (this.#ended) return;
    const chunks = this.#chunks ?? [];
    this.#chunks = undefined;
    this.#allocation.release();
    this.#response.resume();
    if (typeof auth === 'string') {
      this.#abortReader();
      rejected(auth);
      return;
    }
    authenticated(auth);
    for (const [bytes, isLast] of chunks) this.#data?.(bytes, isLast);
  }
}
