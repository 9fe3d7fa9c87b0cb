/**
 * Sockets of kafkajs's connections. kafkajs opens and authenticates them; the gateway sends its
 * requests on them, one at a time. They add what kafkajs's connections lack: closing with an error
 * (without one a request stays pending forever), request timeouts, and a check of each response's
 * length (kafkajs throws inside its data listener for a wrong one, which would end the process).
 */
import assert from 'node:assert/strict';
import type net from 'node:net';
import { connectSocket } from '../../kafka/broker-address.ts';
import { guardResponses } from '../../kafka/response-guard.ts';
import { describeForeignResponse, describeSocketError } from './connection-errors.ts';
import type { SocketFactory } from './kafkajs.ts';

const LENGTH_BYTES = 4;

/** Checks of the watch per guard time. */
const CHECKS_PER_GUARD = 6;

/** Timeouts of one request, ms. */
export interface RequestTimeouts {
  /** Everything is written and nothing was read for this time: the broker is gone. */
  readonly guardMs: number;
  /** Bound of a request, with or without progress. */
  readonly requestMs: number;
}

/** Reason why this side closed a connection. */
export type EndReason = 'guard' | 'request_timeout' | 'connect_timeout' | 'bad_response' | 'closed';

/** One socket and its watch. Create one per connection, and pass its `factory` to kafkajs. */
export class WatchedSocket {
  endReason: EndReason | undefined;
  #socket: net.Socket | undefined;
  #watch: NodeJS.Timeout | undefined;
  readonly #answer = new ResponseBuffer();
  #foreignResponse: string | undefined;
  /** The response is complete, and is delivered in the next turn. */
  #complete = false;
  /** Receives the response to the request in flight; without one, kafkajs reads the data. */
  #onAnswer: ((answer: Buffer) => void) | undefined;
  #failure = 'the connection was closed';
  #connected = false;
  readonly #onClose: () => void;

  /** @param onClose called once when the socket is closed, by either side */
  constructor(onClose: () => void) {
    this.#onClose = onClose;
  }

  readonly factory: SocketFactory = ({ host, port, ssl, onConnect }) => {
    const socket = connectSocket({ host, port }, ssl, onConnect);
    socket.setNoDelay(true);
    socket.once('connect', () => {
      this.#connected = true;
    });
    socket.on('error', (error) => {
      this.#failure = describeSocketError(error);
    });
    socket.once('close', () => {
      this.unwatch();
      this.#onClose();
    });
    guardResponses(socket, {
      take: (chunk) => {
        if (this.#onAnswer === undefined) return false;
        this.#receive(chunk);
        return true;
      },
      refused: (chunk) => {
        this.#foreignResponse ??= describeForeignResponse(chunk);
        this.end('bad_response');
      },
    });
    this.#socket = socket;
    // Closed before kafkajs requested the socket.
    if (this.endReason !== undefined) this.end(this.endReason);
    return socket;
  };

  /** Neither side has closed the connection. */
  get alive(): boolean {
    const socket = this.#socket;
    return socket !== undefined && !socket.destroyed && !socket.readableEnded;
  }

  /** The TCP connection was established. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Reason of the close, in words. */
  get failure(): string {
    return this.#failure;
  }

  /** Error text for bytes that are not a response of a broker. */
  get foreignResponse(): string | undefined {
    return this.#foreignResponse;
  }

  /**
   * Sends the pieces of one request, which must not change until the response arrives or the socket
   * closes.
   * @param onAnswer receives the whole response without its length; not called after a close
   */
  request(pieces: readonly Buffer[], onAnswer: (answer: Buffer) => void): void {
    const socket = this.#socket;
    assert(socket !== undefined && this.#onAnswer === undefined, 'one request at a time');
    this.#onAnswer = onAnswer;
    socket.cork();
    for (const piece of pieces) socket.write(piece);
    socket.uncork();
  }

  /** Closes the connection with an error, so that pending promises reject. */
  end(reason: EndReason): void {
    this.endReason ??= reason;
    this.unwatch();
    this.#socket?.destroy(new Error(reason));
  }

  /** Watches the current request until {@link unwatch}. */
  watch({ guardMs, requestMs }: RequestTimeouts): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    const intervalMs = guardMs / CHECKS_PER_GUARD;
    let bytesRead = socket.bytesRead;
    let checks = 0;
    let quietChecks = 0;
    // Counts checks, not time: a stall of the loop counts as one check, followed by the response
    // that the kernel has buffered.
    this.#watch = setInterval(() => {
      if (++checks * intervalMs >= requestMs) return this.end('request_timeout');
      const quiet = socket.writableLength === 0 && socket.bytesRead === bytesRead;
      bytesRead = socket.bytesRead;
      quietChecks = quiet ? quietChecks + 1 : 0;
      if (quietChecks >= CHECKS_PER_GUARD) this.end('guard');
    }, intervalMs);
  }

  unwatch(): void {
    clearInterval(this.#watch);
    this.#watch = undefined;
  }

  #receive(chunk: Buffer): void {
    if (!this.#answer.add(chunk) || this.#complete) return;
    if (this.#socket!.writableLength === 0) return this.#deliver();
    // TLS updates `writableLength` at the end of the turn, so a response may precede it.
    this.#complete = true;
    setImmediate(() => {
      if (this.endReason === undefined) this.#deliver();
    });
  }

  #deliver(): void {
    // A response before the request has left is invalid. After it, the request's memory is reused.
    if (this.#socket!.writableLength > 0) return this.end('bad_response');
    const onAnswer = this.#onAnswer!;
    this.#onAnswer = undefined;
    this.#complete = false;
    const { answer, isAll } = this.#answer.take();
    onAnswer(answer);
    // Bytes behind the response were not requested.
    if (!isAll) this.end('bad_response');
  }
}

/** Collects the chunks of one response. */
class ResponseBuffer {
  #chunks: Buffer[] = [];
  #bytes = 0;

  /** @returns whether the response is complete */
  add(chunk: Buffer): boolean {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes < LENGTH_BYTES) return false;
    if (this.#chunks[0]!.length < LENGTH_BYTES) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#bytes >= this.#completeBytes;
  }

  /** @returns the response without its length, and whether no bytes follow it */
  take(): { answer: Buffer; isAll: boolean } {
    const end = this.#completeBytes;
    const isAll = this.#bytes === end;
    const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#bytes = 0;
    return { answer: bytes.subarray(LENGTH_BYTES, end), isAll };
  }

  get #completeBytes(): number {
    return LENGTH_BYTES + this.#chunks[0]!.readInt32BE(0);
  }
}
