/**
 * WebSockets: handshakes, incoming frames, outgoing acknowledgements.
 * Invariant: a connection is in `#sockets` from open to close. It is ended once, and the reason of
 * that is counted.
 */
import { LIMITS } from '../../../config/limits.ts';
import { cells } from '../../../metrics/counters.ts';
import { CLOSE_REASONS, type CloseReason } from '../../../metrics/labels.ts';
import type { Acknowledger } from '../../acknowledger/acknowledger.ts';
import { mergeBuckets, type Rate, TokenBucket } from '../../admission/token-bucket.ts';
import type { Authorized } from '../authorize.ts';
import type { WebSocket, WebSocketBehavior } from '../transport/transport.ts';
import { type Connection, closeReason, longestSilent, newConnection } from './connection.ts';
import { Frames, type FramesOptions } from './frames.ts';
import { GOAWAY_PING, Goaway, type GoawayReason, goawayText, randomAge } from './goaway.ts';
import { SlowConsumers } from './slow-consumers.ts';
import { type Handshake, SUBPROTOCOL, type UpgradeOptions, Upgrades } from './upgrades.ts';

const CLOSE_CODES = { credit_exceeded: 1008, flooding: 1013 } as const;

const OPEN = cells('forebay_connections', ['ws', 'http']);
const OPENED = cells('forebay_connections_opened_total', ['ws']).ws;
const CLOSED = cells('forebay_connections_closed_total', CLOSE_REASONS);

type Socket = WebSocket<Connection>;

export interface WebSocketHandlerOptions extends UpgradeOptions, FramesOptions {
  readonly acknowledger: Acknowledger;
  /** Rate limit of events of one connection; undefined = none. */
  readonly connectionRate: Rate | undefined;
  /** Idle time after which a connection is closed. */
  readonly idleMs: number;
  /** Age at which a connection receives `goaway`; 0 = never. */
  readonly maxAgeMs: number;
  /** Maximum of the random reconnect delay in `goaway`. */
  readonly spreadMs: number;
}

/** The WebSockets of one worker. */
export class WebSocketHandler {
  readonly #options: WebSocketHandlerOptions;
  readonly #frames: Frames;
  readonly #upgrades: Upgrades;
  readonly #sockets = new Set<Socket>();
  readonly #slowConsumers = new SlowConsumers<Socket>((socket) =>
    this.#end(socket, 1008, 'slow_consumer'),
  );
  /** Number of connections with an ack stream. */
  #ackStreams = 0;
  #ended = 0;
  #draining = false;
  readonly #ageTimer: NodeJS.Timeout | undefined;
  readonly #identityTimer: NodeJS.Timeout | undefined;

  constructor(options: WebSocketHandlerOptions) {
    this.#options = options;
    this.#frames = new Frames(options);
    this.#upgrades = new Upgrades(options, (response, handshake, sender) => {
      const { acknowledged, webSocketKey, context } = handshake;
      const connection = this.#connection(handshake, sender);
      response.upgrade(connection, webSocketKey, acknowledged ? SUBPROTOCOL : '', '', context);
    });
    const { maxAgeMs, authenticator } = options;
    if (authenticator.required) {
      this.#identityTimer = setInterval(() => this.checkIdentities(), LIMITS.identityCheckMs);
    }
    if (maxAgeMs === 0) return;
    const checkMs = Math.min(LIMITS.ageCheckMs, maxAgeMs / LIMITS.ageChecks);
    this.#ageTimer = setInterval(() => this.checkAges(), checkMs);
  }

  /** Callbacks for uWebSockets.js. */
  get behavior(): WebSocketBehavior<Connection> {
    return {
      // Larger frames are rejected as `too_large`; those above twice the limit end the connection.
      maxPayloadLength: this.#maxMessageBytes,
      // Above it uWebSockets.js drops outgoing frames, including close frames.
      maxBackpressure: LIMITS.unreadMaxBytes,
      idleTimeout: Math.ceil(this.#options.idleMs / 1000),
      sendPingsAutomatically: true,
      upgrade: (response, request, context) => this.#upgrades.handle(response, request, context),
      open: (socket) => this.#open(socket),
      message: (socket, message, isBinary) => this.#message(socket, message, isBinary),
      partial: (socket, bytes) => this.#partial(socket, bytes),
      drain: (socket) => this.#slowConsumers.drained(socket),
      ping: (socket, message) =>
        this.#acceptControl(socket, message) && this.#slowConsumers.check(socket),
      pong: (socket, message) => this.#pong(socket, message),
      close: (socket, code, reason) => this.#close(socket, code, reason),
    };
  }

  get #maxMessageBytes(): number {
    return this.#options.maxFrameBytes * 2;
  }

  /** Connections that have ended. */
  get ended(): number {
    return this.#ended;
  }

  /** Counts a connection closed before any request, on which no response can be sent. */
  countClosed(reason: 'too_many_connections' | 'request_timeout'): void {
    this.#upgrades.countClosed(reason);
  }

  /** An acknowledged client is connected, a handshake is pending, or a frame is queued. */
  get busy(): boolean {
    return this.#ackStreams > 0 || this.#upgrades.busy || this.decoding;
  }

  /** A received frame is not decoded yet. */
  get decoding(): boolean {
    return this.#frames.busy;
  }

  /** Sends `goaway` to each acknowledged client, and from now on to each new one. */
  drain(): void {
    this.#draining = true;
    for (const socket of [...this.#sockets]) this.#goAway(socket, 'restart');
  }

  rejectHandshakes(): void {
    this.#upgrades.rejectAll();
  }

  /** Sends `goaway` to old connections, and ends those whose grace period is over. */
  checkAges(): void {
    const nowMs = performance.now();
    for (const socket of [...this.#sockets]) {
      const { goaway, maxAgeAtMs } = socket.getUserData();
      if (goaway?.isGraceOver(nowMs)) this.#endIfDone(socket);
      else if (goaway === undefined && nowMs >= maxAgeAtMs) this.#goAway(socket, 'age');
    }
  }

  /** Ends connections whose key or token has expired, and applies changed rates and streams. */
  checkIdentities(): void {
    const nowMs = Date.now();
    for (const socket of [...this.#sockets]) {
      const connection = socket.getUserData();
      const { identity, endReason } = connection;
      if (endReason !== undefined) continue;
      if (identity.isExpired(nowMs)) {
        this.#options.authenticator.logExpired(identity);
        this.#end(socket, 1008, 'unauthorized');
        continue;
      }
      if (connection.keyBuckets !== identity.buckets) {
        connection.keyBuckets = identity.buckets;
        connection.buckets = mergeBuckets(connection.ownBuckets, connection.keyBuckets);
      }
      if (connection.routedStreams !== identity.streams) this.#reroute(connection);
    }
  }

  /** Applies changed streams or permissions from the next frame on, and announces changed names. */
  #reroute(connection: Connection): void {
    const { streams } = this.#options;
    const { sender, streamName, route, identity } = connection;
    const before = route.names;
    // A stream that returns under a former name is another one.
    const isDeclared = (name: string) => streams.table.find(name) !== undefined;
    const known = new Set([...(sender.known ?? []), ...before].filter(isDeclared));
    connection.sender = { ...sender, known };
    connection.routedStreams = identity.streams;
    connection.route = streams.table.routeOf(streamName, connection.sender, route.buffer);
    const { names, buffer } = connection.route;
    connection.ackStream?.setBuffer(buffer);
    const isLeaving = connection.goaway !== undefined;
    if (streams.areDeclared && !isLeaving && names.join() !== before.join()) {
      connection.ackStream?.announceStreams(names);
    }
  }

  /** Applies the active streams. Connections to a stream that was removed receive `goaway`. */
  applyStreams(): void {
    const { table } = this.#options.streams;
    for (const socket of [...this.#sockets]) {
      const connection = socket.getUserData();
      const { streamName, endReason } = connection;
      if (endReason !== undefined) continue;
      const stream = streamName === undefined ? undefined : table.find(streamName);
      const isRemoved = streamName !== undefined && (!stream || table.leaving.has(stream));
      if (isRemoved) this.#goAway(socket, 'stream');
      this.#reroute(connection);
    }
  }

  /** Returns whether a frame that arrived until `ms` (monotonic clock) is not decoded yet. */
  decodesFramesUntil(ms: number): boolean {
    return this.#frames.decodesUntil(ms);
  }

  /**
   * Ends as many silent connections as could hold `bytes` of partial messages. They get no close
   * frame: after one, uWebSockets.js keeps that memory until the client closes as well.
   * @returns their number
   */
  closeSilent(bytes: number): number {
    const max = Math.min(LIMITS.endedPerCheck, Math.ceil(bytes / this.#maxMessageBytes));
    const silent = longestSilent(this.#sockets, max);
    for (const socket of silent) this.#evict(socket);
    return silent.length;
  }

  /** Stops the timers. */
  close(): void {
    clearInterval(this.#ageTimer);
    clearInterval(this.#identityTimer);
  }

  /** Ends all connections: this instance stops. */
  closeAll(): void {
    for (const socket of [...this.#sockets]) this.#end(socket, 1012, 'restart');
  }

  #connection(handshake: Handshake, sender: Authorized): Connection {
    const { connectionRate, maxAgeMs, admission } = this.#options;
    const connectionBuckets = connectionRate ? [new TokenBucket(connectionRate)] : [];
    const ownBuckets = [...connectionBuckets, ...admission.bucketsOf(handshake.addressKey)];
    return newConnection(handshake, sender, ownBuckets, performance.now() + randomAge(maxAgeMs));
  }

  #open(socket: Socket): void {
    const { counters, acknowledger, admission } = this.#options;
    const connection = socket.getUserData();
    this.#sockets.add(socket);
    connection.terminate = () => terminate(socket);
    connection.endFlooding = () => this.#end(socket, 1013, 'flooding');
    admission.enter(connection.addressKey);
    counters.add(OPENED);
    counters.add(OPEN.ws);
    // It was counted as HTTP when accepted.
    counters.add(OPEN.http, -1);
    if (!connection.acknowledged) return;
    const send = (texts: readonly string[]) => this.#send(socket, texts);
    const channel = { send, unreadBytes: () => socket.getBufferedAmount() };
    connection.ackStream = acknowledger.createStream(
      channel,
      connection.identity,
      connection.route.buffer,
      connection.provenance.facts['request-id'],
    );
    connection.owner = connection.ackStream;
    this.#ackStreams++;
    connection.ackStream.hello(
      this.#options.streams.areDeclared ? connection.route.names : undefined,
    );
    if (this.#draining) this.#goAway(socket, 'restart');
  }

  #send(socket: Socket, texts: readonly string[]): void {
    let accepted = true;
    const write = (text: string) => {
      accepted &&= socket.getBufferedAmount() <= LIMITS.unreadAckBytes && socket.send(text) !== 2;
    };
    // The callback of cork() costs as much as a send.
    if (texts.length === 1) write(texts[0]!);
    else socket.cork(() => texts.forEach(write));
    // Not inside cork(): uWebSockets.js would from then on delay writes to other connections.
    if (!accepted) return this.#end(socket, 1008, 'slow_consumer');
    this.#slowConsumers.check(socket);
    this.#endIfDone(socket);
  }

  /**
   * Sends `goaway` and a ping: when the pong arrives, so has everything that the client sent before
   * it. Plain clients do not understand `goaway`: at a restart they stay connected until the end.
   */
  #goAway(socket: Socket, reason: GoawayReason): void {
    const connection = socket.getUserData();
    if (connection.endReason !== undefined || connection.goaway !== undefined) return;
    if (connection.ackStream === undefined) {
      if (reason !== 'restart') this.#end(socket, 1012, reason);
      return;
    }
    connection.goaway = new Goaway(reason);
    this.#send(socket, [goawayText(reason, this.#options.spreadMs)]);
    if (connection.endReason === undefined) socket.ping(GOAWAY_PING);
  }

  #pong(socket: Socket, message: ArrayBuffer): void {
    if (!this.#acceptControl(socket, message)) return;
    const { goaway } = socket.getUserData();
    if (goaway === undefined || Buffer.from(message).toString() !== GOAWAY_PING) return;
    goaway.pong();
    this.#endIfDone(socket);
  }

  /** Counts a ping or pong as input. @returns whether the connection stays open */
  #acceptControl(socket: Socket, message: ArrayBuffer): boolean {
    const connection = socket.getUserData();
    if (connection.endReason !== undefined) return false;
    if (!this.#frames.countControl(connection, message.byteLength)) return true;
    this.#end(socket, 1013, 'flooding');
    return false;
  }

  /** Ends a connection after `goaway` when all its frames are settled. */
  #endIfDone(socket: Socket): void {
    const { goaway, ackStream, endReason } = socket.getUserData();
    if (goaway === undefined || endReason !== undefined) return;
    if (goaway.complete && ackStream?.allAcknowledged) this.#end(socket, 1012, goaway.reason);
  }

  #message(socket: Socket, message: ArrayBuffer, isBinary: boolean): void {
    const connection = socket.getUserData();
    if (connection.endReason !== undefined) return;
    const { intake, maxFrameBytes } = this.#options;
    try {
      const reason = this.#frames.receive(connection, message, isBinary);
      if (reason !== undefined) return this.#end(socket, CLOSE_CODES[reason], reason);
      if (message.byteLength > maxFrameBytes) return;
      connection.hasMessage = true;
      // A queued frame has not reached the intake yet.
      const { queue } = connection;
      connection.lastMessageAtMs = queue === undefined ? intake.arrivalMs : performance.now();
    } catch (error) {
      this.#frames.failed(connection, error);
    }
  }

  /** Charges an incomplete message; without a close frame, its memory is free at once. */
  #partial(socket: Socket, bytes: number): void {
    const connection = socket.getUserData();
    if (connection.endReason !== undefined) return;
    connection.partial ??= this.#options.inputMemory.allocate(() => this.#evict(socket));
    connection.partial.resize(bytes);
  }

  #evict(socket: Socket): void {
    socket.getUserData().endReason = 'memory_short';
    terminate(socket);
  }

  #end(socket: Socket, code: number, reason: CloseReason): void {
    const connection = socket.getUserData();
    if (connection.endReason !== undefined) return;
    connection.endReason = reason;
    if (reason === 'flooding') this.#frames.drop(connection.queue);
    else this.#frames.closed(connection);
    socket.end(code, reason);
  }

  #close(socket: Socket, code: number, reason: ArrayBuffer): void {
    const { counters, admission } = this.#options;
    const connection = socket.getUserData();
    this.#sockets.delete(socket);
    this.#slowConsumers.remove(socket);
    admission.leave(connection.addressKey);
    this.#ended++;
    if (connection.ackStream !== undefined) this.#ackStreams--;
    this.#frames.closed(connection);
    connection.partial?.release();
    // Its queued frames may outlive it.
    connection.terminate = () => {};
    connection.endFlooding = () => {};
    connection.ackStream?.close();
    counters.add(OPEN.ws, -1);
    counters.add(CLOSED[connection.endReason ?? closeReason(code, reason)]);
  }
}

function terminate(socket: Socket): void {
  try {
    socket.close();
  } catch {
    // Already ended.
  }
}
