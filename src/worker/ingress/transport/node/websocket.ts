import type { Socket } from 'node:net';
import type { WebSocket as Ws } from 'ws';
import { KIB } from '../../../../config/limits.ts';
import type { WebSocket, WebSocketBehavior } from '../transport.ts';
import { PartialMessage } from './partial-message.ts';
import { arrayBufferOf, WriteProgress } from './sockets.ts';

/** Code of a connection that ends without a close frame. */
const CUT = 1006;
/** Gathered messages above which they are written. */
const CORKED_BYTES = 16 * KIB;
/** First byte of a pong: final, without RSV. */
const PONG_OPCODE = 0x8a;
const PONG_HEAD_BYTES = 2;
/**
 * Chunks of at least this length may hold hundreds of pings. If one also holds a close frame, pongs
 * that are not written yet are omitted, which RFC 6455 allows.
 */
const LONG_CHUNK_BYTES = KIB;
/** Pongs to the current chunk: of one connection, since they are written at its end. */
const PONGS = Buffer.alloc(CORKED_BYTES);
const NO_REASON = Buffer.alloc(0);
/** An idle client has this share of the idle timeout, up to a maximum, to answer a ping. */
const PONG_SHARE = 0.25;
const PONG_MS_MAX = 16_000;

/** A WebSocket of ws. */
export class NodeWebSocket<T> implements WebSocket<T> {
  readonly #ws: Ws;
  readonly #socket: Socket;
  readonly #data: T;
  readonly #behavior: WebSocketBehavior<T>;
  readonly #onEnd: (socket: NodeWebSocket<T>) => void;
  readonly #progress: WriteProgress;
  readonly #idleMs: number;
  readonly #pingAfterMs: number;
  #ended = false;
  /** Messages are gathered before they are written. */
  #corked = false;
  /** The send buffer was not empty after a message. */
  #lagging = false;
  #bytesRead = 0;
  /** When the client's last bytes were noticed, by the monotonic clock. */
  #activeAtMs = performance.now();
  #pinged = false;
  /** Pongs to this chunk are written at its end. */
  #gathersPongs = false;
  #pongBytes = 0;

  /** @param onEnd called once, before `behavior.close` */
  constructor(
    ws: Ws,
    socket: Socket,
    data: T,
    behavior: WebSocketBehavior<T>,
    onEnd: (socket: NodeWebSocket<T>) => void,
  ) {
    this.#ws = ws;
    this.#socket = socket;
    this.#data = data;
    this.#behavior = behavior;
    this.#onEnd = onEnd;
    this.#progress = new WriteProgress(socket);
    this.#idleMs = behavior.idleTimeout * 1000;
    const pongMs = Math.min(PONG_MS_MAX, this.#idleMs * PONG_SHARE);
    this.#pingAfterMs = behavior.sendPingsAutomatically ? this.#idleMs - pongMs : Infinity;
    ws.on('message', (message, isBinary) => {
      if (!this.#ended) behavior.message(this, arrayBufferOf(message as Buffer), isBinary);
    });
    ws.on('ping', (message) => {
      if (this.#ended) return;
      this.#pong(message);
      behavior.ping?.(this, arrayBufferOf(message));
    });
    ws.on('pong', (message) => {
      if (!this.#ended) behavior.pong(this, arrayBufferOf(message));
    });
    // Before the listener of ws and after it: the replies to a chunk leave together. A write for
    // each pong would take much of the turn.
    socket.prependListener('data', (chunk: Buffer) => {
      this.#gathersPongs = chunk.length >= LONG_CHUNK_BYTES;
      this.#gather();
    });
    const partial = new PartialMessage();
    let partialBytes = 0;
    socket.on('data', (chunk: Buffer) => {
      this.#flush();
      // Behind a close frame, ws keeps nothing.
      if (this.#ended || ws.readyState !== ws.OPEN) return;
      const before = partialBytes;
      partialBytes = partial.add(chunk);
      if (partialBytes !== before) behavior.partial?.(this, partialBytes);
    });
    // ws has sent a close frame.
    ws.on('error', ({ message }) => {
      this.#shutDown();
      this.#end(CUT, Buffer.from(message));
    });
    ws.on('close', (code, reason) => this.#end(code, reason));
  }

  getBufferedAmount(): number {
    return this.#ended ? 0 : this.#ws.bufferedAmount;
  }

  send(message: string, isBinary = false): 0 | 1 | 2 {
    return this.#write(() => this.#ws.send(message, { binary: isBinary }));
  }

  ping(message: string): 0 | 1 | 2 {
    return this.#write(() => this.#ws.ping(message));
  }

  end(code: number, reason: string): void {
    if (this.#ended) return;
    this.#writePongs();
    this.#ws.close(code, reason);
    this.#shutDown();
    this.#end(code, Buffer.from(reason));
  }

  close(): void {
    if (this.#ended) throw new Error('the WebSocket has ended');
    this.#terminate('');
  }

  cork(write: () => void): void {
    if (this.#corked) return write();
    this.#gather();
    try {
      write();
    } finally {
      this.#flush();
    }
  }

  #gather(): void {
    this.#corked = true;
    this.#socket.cork();
  }

  #flush(): void {
    this.#writePongs();
    this.#gathersPongs = false;
    this.#corked = false;
    this.#socket.uncork();
    this.#lagging ||= this.getBufferedAmount() > 0;
  }

  getUserData(): T {
    return this.#data;
  }

  /** Reports progress of the send buffer; pings or ends an idle connection. */
  check(nowMs: number): void {
    if (this.#lagging && this.#progress.made()) {
      this.#lagging = this.#ws.bufferedAmount > 0;
      this.#behavior.drain?.(this);
      if (this.#ended) return;
    }
    const { bytesRead } = this.#socket;
    if (bytesRead !== this.#bytesRead) {
      this.#bytesRead = bytesRead;
      this.#activeAtMs = nowMs;
      this.#pinged = false;
    }
    const idleMs = nowMs - this.#activeAtMs;
    if (idleMs >= this.#idleMs) this.#terminate('WebSocket timed out from inactivity');
    else if (idleMs >= this.#pingAfterMs && !this.#pinged) {
      this.#pinged = true;
      this.ping('');
    }
  }

  /**
   * Gathers a pong, unless too much is unread. ws takes several times as long for each one, and the
   * pings of a packet would take the turn of the loop.
   */
  #pong(message: Buffer): void {
    if (this.#ws.bufferedAmount > this.#behavior.maxBackpressure) return;
    if (this.#pongBytes + PONG_HEAD_BYTES + message.length > PONGS.length) this.#writePongs();
    PONGS[this.#pongBytes] = PONG_OPCODE;
    PONGS[this.#pongBytes + 1] = message.length;
    PONGS.set(message, this.#pongBytes + PONG_HEAD_BYTES);
    this.#pongBytes += PONG_HEAD_BYTES + message.length;
    if (!this.#gathersPongs) this.#writePongs();
  }

  #writePongs(): void {
    if (this.#pongBytes === 0) return;
    if (this.#ws.readyState === this.#ws.OPEN) {
      this.#socket.write(Buffer.from(PONGS.subarray(0, this.#pongBytes)));
    }
    this.#pongBytes = 0;
  }

  #write(write: () => void): 0 | 1 | 2 {
    this.#writePongs();
    if (this.#ended || this.#ws.bufferedAmount > this.#behavior.maxBackpressure) return 2;
    write();
    // Otherwise what the network could accept would count as unread.
    if (this.#corked && this.#socket.writableLength > CORKED_BYTES) {
      this.#socket.uncork();
      this.#socket.cork();
    }
    if (this.#corked || this.#ws.bufferedAmount === 0) return 1;
    this.#lagging = true;
    return 0;
  }

  /**
   * Ends the write side behind the close frame. What the client still sends is read without parsing
   * it, until the client closes or the time of ws is over.
   */
  #shutDown(): void {
    this.#socket.removeAllListeners('data');
    this.#socket.on('data', () => {});
    this.#socket.end();
  }

  #terminate(reason: string): void {
    this.#ws.terminate();
    this.#end(CUT, Buffer.from(reason));
  }

  #end(code: number, reason: Buffer): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd(this);
    this.#behavior.close(this, code, arrayBufferOf(reason.length > 0 ? reason : NO_REASON));
  }
}
