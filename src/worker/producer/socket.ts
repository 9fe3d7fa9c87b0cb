/**
 * The sockets that kafkajs's connections run on. kafkajs opens them and logs in; our requests go
 * out on them beside it, one at a time. Beside that they have what its connections do not do:
 * an end with an error (without one a request stays pending for ever), an end of requests that
 * nobody answers, and a check of each response's length (kafkajs throws inside its data listener
 * for a wrong one, which would end the process).
 */
import assert from 'node:assert/strict';
import type net from 'node:net';
import { connectSocket } from '../../kafka/broker-address.ts';
import { guardResponses } from '../../kafka/response-guard.ts';
import { describeSocketError, describeStranger } from './connection-errors.ts';
import type { SocketFactory } from './kafkajs.ts';

const LENGTH_BYTES = 4;

/** The watch looks so often in its guard time. */
const LOOKS_PER_GUARD = 6;

/** Time bounds of one request, ms. */
export interface WatchTimes {
  /** Everything is written and nothing was read for so long: the broker is not there. */
  readonly guardMs: number;
  /** A request takes no longer, progress or not. */
  readonly requestMs: number;
}

/** Why a connection was ended from this side. */
export type EndReason = 'guard' | 'request_timeout' | 'connect_timeout' | 'bad_response' | 'closed';

/** One socket and its watch. Make one per connection, and hand its `factory` to kafkajs. */
export class WatchedSocket {
  endReason: EndReason | undefined;
  #socket: net.Socket | undefined;
  #watch: NodeJS.Timeout | undefined;
  readonly #answer = new Answer();
  #stranger: string | undefined;
  /** The answer is there, and waits for the end of the turn. */
  #whole = false;
  /** Takes the answer to the request that is on its way; kafkajs reads what comes without one. */
  #onAnswer: ((answer: Buffer) => void) | undefined;
  #failure = 'the connection was closed';
  #connected = false;
  readonly #onClose: () => void;

  /** @param onClose called once when the socket is gone, whoever ended it */
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
        this.#take(chunk);
        return true;
      },
      refused: (chunk) => {
        this.#stranger ??= describeStranger(chunk);
        this.end('bad_response');
      },
    });
    this.#socket = socket;
    // Ended before kafkajs came to ask for the socket.
    if (this.endReason !== undefined) this.end(this.endReason);
    return socket;
  };

  /** Neither side has ended the connection. */
  get alive(): boolean {
    const socket = this.#socket;
    return socket !== undefined && !socket.destroyed && !socket.readableEnded;
  }

  /** The TCP connection was established. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Reason of its end, in words. */
  get failure(): string {
    return this.#failure;
  }

  /** Text for bytes that came instead of a broker's answer. */
  get stranger(): string | undefined {
    return this.#stranger;
  }

  /**
   * Sends the pieces of one request, which must not change until it is answered or the socket gone.
   * @param onAnswer gets the whole answer, without its length; not called when the socket ends
   */
  exchange(pieces: readonly Buffer[], onAnswer: (answer: Buffer) => void): void {
    const socket = this.#socket;
    assert(socket !== undefined && this.#onAnswer === undefined, 'one request at a time');
    this.#onAnswer = onAnswer;
    socket.cork();
    for (const piece of pieces) socket.write(piece);
    socket.uncork();
  }

  /** Ends the connection with an error, so that what is pending on it is rejected. */
  end(reason: EndReason): void {
    this.endReason ??= reason;
    this.unwatch();
    this.#socket?.destroy(new Error(reason));
  }

  /** Watches the request that is written now, until {@link unwatch}. */
  watch({ guardMs, requestMs }: WatchTimes): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    const lookMs = guardMs / LOOKS_PER_GUARD;
    let bytesRead = socket.bytesRead;
    let looks = 0;
    let quietLooks = 0;
    // Looks are counted, not time: after a stall of the loop one look comes, and then the answer
    // that the kernel has kept meanwhile.
    this.#watch = setInterval(() => {
      if (++looks * lookMs >= requestMs) return this.end('request_timeout');
      const quiet = socket.writableLength === 0 && socket.bytesRead === bytesRead;
      bytesRead = socket.bytesRead;
      quietLooks = quiet ? quietLooks + 1 : 0;
      if (quietLooks >= LOOKS_PER_GUARD) this.end('guard');
    }, lookMs);
  }

  unwatch(): void {
    clearInterval(this.#watch);
    this.#watch = undefined;
  }

  #take(chunk: Buffer): void {
    if (!this.#answer.add(chunk) || this.#whole) return;
    if (this.#socket!.writableLength === 0) return this.#deliver();
    // Of TLS one hears what has left at the end of the turn only: the answer may be sooner.
    this.#whole = true;
    setImmediate(() => {
      if (this.endReason === undefined) this.#deliver();
    });
  }

  #deliver(): void {
    // Nobody answers what has not left. Once it is answered, its bytes are somebody else's.
    if (this.#socket!.writableLength > 0) return this.end('bad_response');
    const onAnswer = this.#onAnswer!;
    this.#onAnswer = undefined;
    this.#whole = false;
    const { answer, isAll } = this.#answer.take();
    onAnswer(answer);
    // What came behind it nobody has asked for.
    if (!isAll) this.end('bad_response');
  }
}

/** Gathers the chunks of one response. */
class Answer {
  #chunks: Buffer[] = [];
  #bytes = 0;

  /** @returns whether all of it is there */
  add(chunk: Buffer): boolean {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes < LENGTH_BYTES) return false;
    if (this.#chunks[0]!.length < LENGTH_BYTES) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#bytes >= this.#wholeBytes;
  }

  /** @returns the response without its length, and whether that is all that has come */
  take(): { answer: Buffer; isAll: boolean } {
    const end = this.#wholeBytes;
    const isAll = this.#bytes === end;
    const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#bytes = 0;
    return { answer: bytes.subarray(LENGTH_BYTES, end), isAll };
  }

  get #wholeBytes(): number {
    return LENGTH_BYTES + this.#chunks[0]!.readInt32BE(0);
  }
}
