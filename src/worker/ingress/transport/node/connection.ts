import type { Socket } from 'node:net';
import { parseAddress } from '../../../../common/ip-addresses.ts';
import { LIMITS } from '../../../../config/limits.ts';
import type { AcceptedConnection } from '../transport.ts';
import { WriteProgress } from './sockets.ts';

/** A request whose response is not complete. */
export interface PendingRequest {
  /** Its body has arrived. */
  readonly complete: boolean;
  /** Makes its response close the connection. */
  closeAfterwards(): void;
  /** Handles the end of the connection. */
  abort(): void;
}

/** Requests of one connection that may wait for their responses: more are a flood. */
const PIPELINED_MAX = 100;
const NEVER = Number.POSITIVE_INFINITY;
const NO_ADDRESS = new ArrayBuffer(0);

/**
 * An accepted connection, until it ends or becomes a WebSocket.
 *
 *   first bytes ─▶ (TLS) ─▶ requests ─▶ lingering: write side ended ─▶ ended
 *                               └─▶ WebSocket
 *
 * A connection lingers after a response that closes it: the client's bytes are read and dropped
 * until it closes as well, since a close with unread bytes is a reset, which can destroy the
 * response.
 */
export class Connection implements AcceptedConnection {
  readonly #remoteAddress: ArrayBuffer;
  /** Address in its PROXY header; 0 bytes if none. */
  proxiedAddress = NO_ADDRESS;
  /** Handles an end before the first request. */
  #aborted: (() => void) | undefined;
  /** When it is closed, unless something happens, by the monotonic clock. */
  #deadlineMs = performance.now() + LIMITS.firstRequestMs;
  readonly #onEnd: (connection: Connection) => void;
  readonly #accepted: Socket;
  readonly #requests = new Set<PendingRequest>();
  #socket: Socket;
  #progress: WriteProgress | undefined;
  /** A response that closes the connection was written. */
  #closing = false;
  /** Responses that wait for the client to read earlier ones. */
  readonly #unsent = new Map<PendingRequest, () => void>();
  #awaitsDrain = false;
  #lingering = false;
  #ended = false;
  /** Requests dropped behind that response. */
  #dropped = 0;

  /** @param onEnd called once, before pending requests are aborted, unless it is upgraded */
  constructor(socket: Socket, onEnd: (connection: Connection) => void) {
    this.#accepted = socket;
    this.#socket = socket;
    this.#onEnd = onEnd;
    const address = parseAddress(socket.remoteAddress ?? '');
    this.#remoteAddress = new Uint8Array(address?.toByteArray() ?? []).buffer;
    socket.on('error', () => {});
    socket.on('close', () => this.close());
  }

  /** The socket that requests are read from: the accepted one, or TLS on it. */
  get socket(): Socket {
    return this.#socket;
  }

  set socket(socket: Socket) {
    this.#socket = socket;
    if (socket === this.#accepted) return;
    socket.on('error', () => {});
    socket.on('close', () => this.close());
  }

  getRemoteAddress(): ArrayBuffer {
    return this.#remoteAddress;
  }

  getProxiedRemoteAddress(): ArrayBuffer {
    return this.proxiedAddress;
  }

  onAborted(handler: () => void): void {
    this.#aborted = handler;
  }

  /** Closed, or released. */
  get ended(): boolean {
    return this.#ended;
  }

  /**
   * Counts a request.
   * @returns whether it is to be handled; not behind a response that closes the connection
   */
  began(request: PendingRequest): boolean {
    if (this.#ended) return false;
    if (this.#closing) {
      if (++this.#dropped >= PIPELINED_MAX) this.close();
      return false;
    }
    this.#aborted = undefined;
    this.#requests.add(request);
    this.#deadlineMs = NEVER;
    if (this.#requests.size <= PIPELINED_MAX) return true;
    this.close();
    return false;
  }

  /**
   * Counts a response that was written; the client has time to send the next request.
   * @param closes the response closes the connection
   */
  responded(request: PendingRequest, closes: boolean): void {
    this.#requests.delete(request);
    this.#closing ||= closes;
    if (this.busy) {
      this.#deadlineMs = NEVER;
      return this.#continue();
    }
    this.expectInput();
  }

  /** Returns whether a response with a body may be sent: earlier ones were sent and read. */
  canSend(request: PendingRequest): boolean {
    const [first] = this.#requests;
    return first === request && !this.#socket.writableNeedDrain;
  }

  /** Calls `send`, which responds to the request, when it may be sent. */
  sendLater(request: PendingRequest, send: () => void): void {
    this.#unsent.set(request, send);
    this.#continue();
  }

  /** Sends responses in order, or waits until the client has read earlier ones. */
  #continue(): void {
    const [first] = this.#requests;
    if (first === undefined) return;
    const send = this.#unsent.get(first);
    if (send === undefined) return;
    if (this.#socket.writableNeedDrain) {
      this.expectInput();
      if (!this.#awaitsDrain) {
        this.#awaitsDrain = true;
        this.#socket.once('drain', () => {
          this.#awaitsDrain = false;
          this.#continue();
        });
      }
      return;
    }
    this.#unsent.delete(first);
    send();
  }

  /** Closes the connection unless more input arrives in time. */
  expectInput(): void {
    if (!this.#lingering) this.#deadlineMs = performance.now() + LIMITS.firstRequestMs;
  }

  /** Input is complete, or not read on purpose. */
  expectNothing(): void {
    if (!this.#lingering) this.#deadlineMs = NEVER;
  }

  /** Closes the connection if its time is over and the client reads no response either. */
  checkDeadline(nowMs: number): void {
    if (nowMs < this.#deadlineMs) return;
    const isReading = this.#socket.writableLength > 0 && (this.#progress?.made() ?? true);
    if (!isReading) return this.close();
    this.#progress ??= new WriteProgress(this.#socket);
    this.#deadlineMs = nowMs + LIMITS.firstRequestMs;
  }

  /** Ends the write side, and waits for the client to do the same. */
  linger(): void {
    if (this.#lingering || this.#ended) return;
    this.expectInput();
    this.#closing = true;
    this.#lingering = true;
    this.#socket.end();
  }

  /** A response is pending. */
  get busy(): boolean {
    return this.#requests.size > 0;
  }

  /**
   * Handles invalid input: aborts the request to whose body it belongs, and handles nothing more.
   * @returns whether the connection can be answered; otherwise it ends behind the responses to
   * earlier requests
   */
  failed(): boolean {
    if (this.#closing) return false;
    this.#closing = true;
    const incoming = [...this.#requests].at(-1);
    if (incoming !== undefined && !incoming.complete) {
      this.#requests.delete(incoming);
      incoming.abort();
    }
    [...this.#requests].at(-1)?.closeAfterwards();
    return !this.#ended && !this.busy;
  }

  /** Handles the end of the client's side: its requests are aborted. */
  clientEnded(): void {
    if (this.#lingering || this.busy) this.close();
  }

  /** Gives the connection away, as a WebSocket. */
  release(): void {
    this.#ended = true;
    this.#requests.clear();
    this.#unsent.clear();
  }

  /** Ends the connection and aborts its pending requests. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd(this);
    this.#aborted?.();
    for (const request of [...this.#requests]) request.abort();
    this.#requests.clear();
    this.#unsent.clear();
    this.#socket.destroy();
    this.#accepted.destroy();
  }
}
