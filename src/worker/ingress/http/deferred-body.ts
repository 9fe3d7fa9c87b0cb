import { LIMITS } from '../../../config/limits.ts';
import type { ChunkFloodDetector } from '../../overload/flood.ts';
import type { Allocation, InputMemory } from '../../overload/input-memory.ts';
import type { Authorization, Authorized, Unauthorized } from '../authorize.ts';
import type { HttpResponse } from '../transport/transport.ts';
import { inheritClosing } from './framing.ts';

/** The part of a response that a body is read from. */
export interface BodySource {
  onAborted(handler: () => void): unknown;
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): unknown;
  pause(): void;
  resume(): void;
}

/** Receives the result of authorization. */
export interface DeferredBodyHandler {
  authorized(sender: Authorized): void;
  /** Authorization failed: the reader was aborted. */
  rejected(code: Unauthorized): void;
  /** The body was evicted because memory was short: the reader was aborted. */
  evicted(): void;
  /** The body arrives as a flood of tiny chunks: close its connection. */
  flooded(): void;
  /** Reports an error thrown by another method. */
  failed(error: unknown): void;
}

type Chunk = readonly [bytes: ArrayBuffer, isLast: boolean];

/**
 * A body that is read only after its sender is authorized. uWebSockets.js requires handlers
 * before the request handler returns; chunks it has already read from the socket are still
 * delivered, and are kept.
 */
export class DeferredBody implements BodySource {
  readonly #response: HttpResponse;
  /** Charged for the chunks kept until then. */
  readonly #allocation: Allocation;
  #chunks: Chunk[] | undefined = [];
  #ended = false;
  #aborted: (() => void) | undefined;
  #data: ((bytes: ArrayBuffer, isLast: boolean) => void) | undefined;

  constructor(
    response: HttpResponse,
    auth: Promise<Authorization>,
    memory: InputMemory,
    chunks: ChunkFloodDetector,
    handler: DeferredBodyHandler,
  ) {
    this.#response = response;
    this.#allocation = memory.allocate(() => {
      // Closing a connection with unread bytes resets it.
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
      // The chunk's memory is valid only during this handler.
      this.#chunks.push([bytes.slice(0), isLast]);
      const charged = bytes.byteLength + LIMITS.chunkOverheadBytes;
      this.#allocation.resize(this.#allocation.bytes + charged);
    });
    response.pause();
    auth.then((result) => this.#finish(result, handler)).catch(handler.failed);
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

  /** Has no effect before authorization: more chunks would arrive, without a bound. */
  resume(): void {
    if (this.#chunks === undefined) this.#response.resume();
  }

  /** Drops the chunks and ignores the result: the response was sent. */
  discard(): void {
    this.#ended = true;
    if (this.#chunks !== undefined) this.#chunks = [];
    this.#allocation.release();
  }

  /** Ends the body, and aborts the reader. */
  #abortReader(): void {
    this.discard();
    this.#aborted?.();
  }

  #finish(auth: Authorization, { authorized, rejected }: DeferredBodyHandler): void {
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
    authorized(auth);
    for (const [bytes, isLast] of chunks) this.#data?.(bytes, isLast);
  }
}
