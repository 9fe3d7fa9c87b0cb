/**
 * `/ws`: handshakes, frames in, what is to be told out.
 * One invariant rules it: a connection is in `#sockets` from open to close, and is ended once, with
 * the reason that is counted.
 */
import { LIMITS } from '../../limits.ts';
import { CLOSE_REASONS, type CloseReason } from '../../metrics/catalogue.ts';
import { cell, cells } from '../../metrics/counters.ts';
import type { ConnectionBounds } from '../../open-files.ts';
import type { AckStream } from '../acknowledger/ack-stream.ts';
import { type Acknowledger, PLAIN } from '../acknowledger/acknowledger.ts';
import type { Identity } from '../admission/identity.ts';
import type { DecodeBounds } from '../decoder/sink.ts';
import { decodeText } from '../decoder/text.ts';
import type { Intake } from '../validator/intake.ts';
import { goawayText, Leaving, PING, type Reason, randomAge } from './goaway.ts';
import { type HandshakeOptions, Handshakes, SUBPROTOCOL } from './handshakes.ts';
import type { WebSocket, WebSocketBehavior } from './uws.ts';

const PLAIN_FRAME = 0;

const RECEIVED = cells('forebay_events_received_total', ['ws']).ws;
const RECEIVED_BYTES = cells('forebay_received_bytes_total', ['ws']).ws;
const OPEN = cell('forebay_connections');
const OPENED = cell('forebay_connections_opened_total');
const CLOSED = cells('forebay_connections_closed_total', CLOSE_REASONS);
/** Share of what a connection may send in one turn from which on its turns are looked at. */
const WATCHED = 0.05;
/** What uWebSockets.js keeps for each connection. */
interface Connection {
  readonly acknowledged: boolean;
  readonly identity: Identity;
  stream: AckStream | undefined;
  /** Why we ended it. */
  ended: CloseReason | undefined;
  /** It was told to go away. */
  leaving: Leaving | undefined;
  /** When it is told so because of its age. */
  readonly oldAtMs: number;
  /** What it has sent since the end of a loop turn was last waited for. */
  recentMessages: number;
  recentBytes: number;
  /** The end of this turn is waited for. */
  watched: boolean;
}
type Socket = WebSocket<Connection>;

export interface WebSocketOptions extends HandshakeOptions {
  readonly maxFrameBytes: number;
  readonly intake: Intake;
  readonly acknowledger: Acknowledger;
  readonly connections: ConnectionBounds;
  /** Age at which a connection is told to go away; 0 = never. */
  readonly maxAgeMs: number;
  /** Clients are told to connect again after 0 to so long. */
  readonly spreadMs: number;
}

/** The WebSockets of one worker. */
export class WebSocketListener {
  readonly #options: WebSocketOptions;
  readonly #bounds: DecodeBounds;
  readonly #handshakes: Handshakes;
  readonly #sockets = new Set<Socket>();
  /** Connections that have a stream. */
  #streams = 0;
  #ended = 0;
  #leaving = false;
  readonly #ageTimer: NodeJS.Timeout | undefined;
  readonly #identityTimer: NodeJS.Timeout | undefined;

  constructor(options: WebSocketOptions) {
    this.#options = options;
    this.#bounds = { maxEvents: LIMITS.frameEvents, maxEventBytes: options.maxFrameBytes };
    const isFull = () => this.#sockets.size >= options.connections.webSockets;
    this.#handshakes = new Handshakes(options, isFull, (response, handshake, identity) => {
      const { acknowledged, key, context } = handshake;
      const connection = this.#connection(acknowledged, identity);
      response.upgrade(connection, key, acknowledged ? SUBPROTOCOL : '', '', context);
    });
    const { maxAgeMs, gate } = options;
    if (gate.required) {
      this.#identityTimer = setInterval(() => this.lookAtIdentities(), LIMITS.identityLookMs);
    }
    if (maxAgeMs === 0) return;
    const everyMs = Math.min(LIMITS.ageLookMs, maxAgeMs / 20);
    this.#ageTimer = setInterval(() => this.look(), everyMs);
  }

  /** What uWebSockets.js calls. */
  get behavior(): WebSocketBehavior<Connection> {
    return {
      // A frame over the protocol's bound is refused by name; twice that ends the connection.
      maxPayloadLength: this.#options.maxFrameBytes * 2,
      // More than a client may leave unread: the close frame that tells it so has to fit.
      maxBackpressure: 4 * LIMITS.unreadBytes,
      idleTimeout: LIMITS.idleSeconds,
      sendPingsAutomatically: true,
      upgrade: (response, request, context) => this.#handshakes.take(response, request, context),
      open: (socket) => this.#open(socket),
      message: (socket, message, isBinary) => this.#message(socket, message, isBinary),
      pong: (socket, message) => this.#pong(socket, message),
      close: (socket, code, reason) => this.#close(socket, code, reason),
    };
  }

  /** Connections that have ended. */
  get ended(): number {
    return this.#ended;
  }

  /** A connection is closed that there is no file for: nothing can be said on it. */
  countClosed(): void {
    this.#handshakes.countClosed();
  }

  /** An acknowledged client is connected, or may be soon. */
  get busy(): boolean {
    return this.#streams > 0 || this.#handshakes.busy;
  }

  /** Tells each acknowledged client to go away, and those that still come. */
  leave(): void {
    this.#leaving = true;
    for (const socket of [...this.#sockets]) this.#goAway(socket, 'restart');
  }

  refuseHandshakes(): void {
    this.#handshakes.refuseAll();
  }

  /** Looks for connections that are old, and for those whose grace is over. */
  look(): void {
    const nowMs = performance.now();
    for (const socket of [...this.#sockets]) {
      const { leaving, oldAtMs } = socket.getUserData();
      if (leaving === undefined) {
        if (nowMs >= oldAtMs) this.#goAway(socket, 'age');
      } else if (leaving.isOver(nowMs)) this.#endIfDone(socket);
    }
  }

  /** Ends the connections of keys and tokens that are over. */
  lookAtIdentities(): void {
    const nowMs = Date.now();
    for (const socket of [...this.#sockets]) {
      const { identity, ended } = socket.getUserData();
      if (ended !== undefined || !identity.isOver(nowMs)) continue;
      this.#options.gate.ended(identity);
      this.#end(socket, 1008, 'unauthorized');
    }
  }

  close(): void {
    clearInterval(this.#ageTimer);
    clearInterval(this.#identityTimer);
  }

  /** Ends every connection: this instance stops. */
  endAll(): void {
    for (const socket of [...this.#sockets]) this.#end(socket, 1012, 'restart');
  }

  #connection(acknowledged: boolean, identity: Identity): Connection {
    return {
      acknowledged,
      identity,
      stream: undefined,
      ended: undefined,
      leaving: undefined,
      oldAtMs: performance.now() + randomAge(this.#options.maxAgeMs),
      recentMessages: 0,
      recentBytes: 0,
      watched: false,
    };
  }

  #open(socket: Socket): void {
    const { counters, acknowledger } = this.#options;
    this.#sockets.add(socket);
    counters.add(OPENED);
    counters.add(OPEN);
    const connection = socket.getUserData();
    if (!connection.acknowledged) return;
    const wire = { send: (texts: readonly string[]) => this.#send(socket, texts) };
    connection.stream = acknowledger.stream(wire);
    this.#streams++;
    connection.stream.hello();
    if (this.#leaving) this.#goAway(socket, 'restart');
  }

  #send(socket: Socket, texts: readonly string[]): void {
    let taken = true;
    const write = (text: string) => {
      taken &&= socket.send(text) !== 2 && socket.getBufferedAmount() <= LIMITS.unreadBytes;
    };
    // To be called back by uWebSockets.js costs as much as to send.
    if (texts.length === 1) write(texts[0]!);
    else socket.cork(() => texts.forEach(write));
    // Not while it is corked: uWebSockets.js would hold back what others are sent from then on.
    if (!taken) this.#end(socket, 1008, 'slow_consumer');
    else this.#endIfDone(socket);
  }

  /**
   * Says `goaway`, and pings behind it: with the pong all has come that was sent before. A plain
   * client cannot be told: at a restart it stays until the end.
   */
  #goAway(socket: Socket, reason: Reason): void {
    const connection = socket.getUserData();
    if (connection.ended !== undefined || connection.leaving !== undefined) return;
    if (connection.stream === undefined) {
      if (reason === 'age') this.#end(socket, 1012, reason);
      return;
    }
    connection.leaving = new Leaving(reason);
    this.#send(socket, [goawayText(reason, this.#options.spreadMs)]);
    if (connection.ended === undefined) socket.ping(PING);
  }

  #pong(socket: Socket, message: ArrayBuffer): void {
    const { leaving } = socket.getUserData();
    if (leaving === undefined || Buffer.from(message).toString() !== PING) return;
    leaving.heard();
    this.#endIfDone(socket);
  }

  /** A client that was told to go away is let go when all that it sent is settled. */
  #endIfDone(socket: Socket): void {
    const { leaving, stream, ended } = socket.getUserData();
    if (leaving === undefined || ended !== undefined) return;
    if (leaving.arrived && stream?.allAcknowledged) this.#end(socket, 1012, leaving.reason);
  }

  #message(socket: Socket, message: ArrayBuffer, isBinary: boolean): void {
    const connection = socket.getUserData();
    if (connection.ended !== undefined) return;
    if (this.#floods(connection, message.byteLength)) return this.#end(socket, 1013, 'flooding');
    const { stream } = connection;
    const frame = stream === undefined ? PLAIN_FRAME : stream.beginFrame(message.byteLength);
    if (frame === undefined) return this.#end(socket, 1008, 'credit_exceeded');
    const { counters } = this.#options;
    counters.add(RECEIVED_BYTES, message.byteLength);
    const tooLate = connection.leaving?.isOver() ?? false;
    this.#options.intake.begin(stream ?? PLAIN, frame, tooLate);
    counters.add(RECEIVED, this.#take(message, isBinary));
    stream?.endFrame(frame);
  }

  /**
   * Whether the connection has sent more in this turn of the loop than one may, about. To learn
   * when a turn ends costs one more: only if a connection has sent much since the last time.
   */
  #floods(connection: Connection, bytes: number): boolean {
    connection.recentMessages++;
    connection.recentBytes += bytes;
    const { recentMessages: messages, recentBytes } = connection;
    const { turnMessages, turnBytes } = LIMITS;
    if (messages < turnMessages * WATCHED && recentBytes < turnBytes * WATCHED) return false;
    if (!connection.watched) {
      connection.watched = true;
      setImmediate(() => {
        connection.watched = false;
        connection.recentMessages = 0;
        connection.recentBytes = 0;
      });
    }
    return messages > turnMessages || recentBytes > turnBytes;
  }

  /** Takes a frame apart or refuses it. @returns how many events it counts as */
  #take(message: ArrayBuffer, isBinary: boolean): number {
    const { intake, maxFrameBytes } = this.#options;
    if (message.byteLength > maxFrameBytes) {
      const length = `the frame has ${message.byteLength} bytes`;
      intake.refuseFrame('too_large', `${length}, ${maxFrameBytes} are allowed`);
    } else if (isBinary) {
      intake.refuseFrame('invalid_msgpack', 'binary frames are not taken by this version');
    } else {
      return decodeText(Buffer.from(message), this.#bounds, intake);
    }
    return 1;
  }

  #end(socket: Socket, code: number, reason: CloseReason): void {
    const connection = socket.getUserData();
    if (connection.ended !== undefined) return;
    connection.ended = reason;
    socket.end(code, reason);
  }

  #close(socket: Socket, code: number, reason: ArrayBuffer): void {
    const { counters } = this.#options;
    const connection = socket.getUserData();
    this.#sockets.delete(socket);
    this.#ended++;
    if (connection.stream !== undefined) this.#streams--;
    connection.stream?.close();
    counters.add(OPEN, -1);
    counters.add(CLOSED[connection.ended ?? closeReason(code, reason)]);
  }
}

/** Why a connection ended that we did not end. */
function closeReason(code: number, reason: ArrayBuffer): CloseReason {
  if (code !== 1006) return 'normal';
  return /inactivity|timeout/i.test(Buffer.from(reason).toString()) ? 'idle' : 'lost';
}
