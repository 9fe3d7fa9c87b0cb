import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  ServerResponse,
} from 'node:http';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import { type ServerOptions, WebSocketServer } from 'ws';
import { LIMITS } from '../../../../config/limits.ts';
import type {
  AcceptedConnection,
  App,
  HttpRequest,
  HttpResponse,
  ListenSocket,
  WebSocketBehavior,
} from '../transport.ts';
import { Connection } from './connection.ts';
import { NodeRequest } from './http-request.ts';
import { NodeResponse } from './http-response.ts';
import { SharedPort } from './ports.ts';
import { proxyHeaderOf } from './proxy-header.ts';
import {
  faultOf,
  parserRejection,
  REJECTIONS,
  type Rejection,
  writeRejection,
} from './rejections.ts';
import { upgradableMessage } from './upgradable-message.ts';
import { NodeWebSocket } from './websocket.ts';

type Handler = (response: HttpResponse, request: HttpRequest) => void;
type Filter = (connection: AcceptedConnection, change: number) => void;

/** Interval of the checks for deadlines, idle clients and slow clients. */
const CHECK_MS = 1_000;
/** Time for a client to answer a close frame. */
const CLOSE_MS = 10_000;
const NO_BYTES = Buffer.alloc(0);
const CONTINUE = '100-continue';
/** Packets of an incomplete frame, which ws keeps one by one; a slow link makes hundreds of it. */
const FRAME_PACKETS = 4_096;
/** Length of a `Sec-WebSocket-Key`: 16 bytes in Base64. */
const KEY_LENGTH = 24;

/** The WebSockets of a path, or with `/*` of all paths below it. */
interface WebSocketRoute {
  readonly pattern: string;
  readonly behavior: WebSocketBehavior<unknown>;
  readonly server: WebSocketServer;
}

function matches(pattern: string, path: string): boolean {
  return pattern.endsWith('/*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern;
}

/** A port served by node:http and ws. */
export class NodeApp implements App {
  readonly #secureContext: SecureContext | undefined;
  readonly #port: SharedPort;
  /** Parses requests; does not listen. */
  readonly #http: HttpServer;
  readonly #connections = new Set<Connection>();
  /** Connections by the socket that requests are read from. */
  readonly #bySocket = new WeakMap<object, Connection>();
  /** Last response of a socket, until it is written. */
  readonly #lastResponse = new WeakMap<object, ServerResponse>();
  readonly #webSockets = new Set<NodeWebSocket<unknown>>();
  #filter: Filter = () => {};
  #handler: Handler = () => {};
  readonly #routes: WebSocketRoute[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** @param secureContext for TLS; undefined = plain text */
  constructor(secureContext?: SecureContext) {
    this.#secureContext = secureContext;
    const options = { allowHalfOpen: true, noDelay: true };
    const accept = (socket: Socket) => this.#accept(socket);
    this.#port = new SharedPort(() => createTcpServer(options, accept));
    this.#http = createHttpServer({
      IncomingMessage: upgradableMessage((request) => this.#routeOf(request) !== undefined),
      maxHeaderSize: LIMITS.headersBytes,
      // Missing hosts and slow clients are handled here.
      requireHostHeader: false,
      keepAliveTimeout: 0,
      headersTimeout: 0,
      requestTimeout: 0,
    });
    // By default, further headers are dropped without notice.
    this.#http.maxHeadersCount = 0;
    this.#http.on('request', (request, response) => this.#request(request, response));
    this.#http.on('checkContinue', (request, response) => this.#expects(request, response));
    this.#http.on('checkExpectation', (request, response) => this.#expects(request, response));
    // Node.js 26 passes another stream if the request has a body that is still to come.
    this.#http.on('upgrade', (request, _stream, head) =>
      this.#handshake(request, request.socket, head),
    );
    this.#http.on('connect', (_request, socket) => this.#reject(socket, REJECTIONS.version));
    this.#http.on('clientError', (error, socket) => this.#parserFailed(error, socket));
  }

  filter(handler: Filter): this {
    this.#filter = handler;
    return this;
  }

  any(_pattern: string, handler: Handler): this {
    this.#handler = handler;
    return this;
  }

  ws<T>(pattern: string, behavior: WebSocketBehavior<T>): this {
    // Its type declarations lack two of them.
    const options: ServerOptions & { closeTimeout: number; maxBufferedChunks: number } = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      skipUTF8Validation: false,
      maxPayload: behavior.maxPayloadLength,
      maxBufferedChunks: FRAME_PACKETS,
      // Sent here, within the bound of the send buffer.
      autoPong: false,
      closeTimeout: CLOSE_MS,
    };
    const server = new WebSocketServer(options);
    this.#routes.push({ pattern, behavior: behavior as WebSocketBehavior<unknown>, server });
    return this;
  }

  listen(host: string, port: number, done: (socket: ListenSocket | false) => void): this {
    this.#timer ??= setInterval(() => this.#check(), CHECK_MS);
    this.#port.listen(host, port, done);
    return this;
  }

  close(): this {
    clearInterval(this.#timer);
    this.#port.close();
    for (const connection of [...this.#connections]) connection.close();
    for (const socket of [...this.#webSockets]) socket.close();
    return this;
  }

  #accept(socket: Socket): void {
    const connection = new Connection(socket, () => {
      this.#connections.delete(connection);
      this.#filter(connection, -1);
    });
    this.#connections.add(connection);
    this.#filter(connection, 1);
    if (!connection.ended) this.#readFirstBytes(connection, socket, NO_BYTES);
  }

  /** Reads a PROXY header before TLS and HTTP see the connection. */
  #readFirstBytes(connection: Connection, socket: Socket, before: Buffer): void {
    const onEnd = () => connection.close();
    socket.once('end', onEnd);
    socket.once('data', (chunk: Buffer) => {
      socket.off('end', onEnd);
      socket.pause();
      const bytes = before.length === 0 ? chunk : Buffer.concat([before, chunk]);
      const header = proxyHeaderOf(bytes);
      if (header === 'invalid') return connection.close();
      if (header === 'incomplete') {
        this.#readFirstBytes(connection, socket, bytes);
        socket.resume();
        return;
      }
      connection.proxiedAddress = header?.address ?? connection.proxiedAddress;
      const rest = header === undefined ? bytes : bytes.subarray(header.bytes);
      if (rest.length > 0) socket.unshift(rest);
      this.#serve(connection, socket);
    });
  }

  #serve(connection: Connection, socket: Socket): void {
    const secureContext = this.#secureContext;
    if (secureContext === undefined) return this.#serveHttp(connection, socket);
    const secure = new TLSSocket(socket, { isServer: true, secureContext });
    connection.socket = secure;
    secure.on('_tlsError', () => connection.close());
    secure.once('secure', () => this.#serveHttp(connection, secure));
  }

  #serveHttp(connection: Connection, socket: Socket): void {
    this.#bySocket.set(socket, connection);
    socket.on('end', () => connection.clientEnded());
    // node:http calls this after a response that closes the connection.
    socket.destroySoon = () => connection.linger();
    this.#parse(socket);
  }

  /** Attaches the parser; again after a rejected handshake. */
  #parse(socket: Socket): void {
    this.#http.emit('connection', socket);
    socket.resume();
  }

  #request(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#bySocket.get(request.socket);
    if (connection === undefined) return;
    response.on('error', () => {});
    const ours = new NodeResponse(connection, request, response);
    const theirs = new NodeRequest(request);
    this.#lastResponse.set(request.socket, response);
    response.once('close', () => {
      if (this.#lastResponse.get(request.socket) === response) {
        this.#lastResponse.delete(request.socket);
      }
    });
    if (!connection.began(ours)) return;
    const rejection = faultOf(request, theirs);
    if (rejection !== undefined) return ours.reject(rejection);
    const route = this.#routeOf(request);
    // It lacks the headers of an upgrade: the handler rejects it.
    if (route !== undefined) route.behavior.upgrade(ours, theirs, {});
    else this.#handler(ours, theirs);
    ours.readBody();
  }

  /** Sends the interim response that the contract requires: for one spelling only. */
  #expects(request: IncomingMessage, response: ServerResponse): void {
    if (new NodeRequest(request).getHeader('expect') === CONTINUE) response.writeContinue();
    this.#request(request, response);
  }

  /** Returns the WebSockets of a handshake's path; undefined if the request is no handshake. */
  #routeOf(request: IncomingMessage): WebSocketRoute | undefined {
    const { method, url = '' } = request;
    const [path = ''] = url.split('?', 1);
    const route = this.#routes.find(({ pattern }) => matches(pattern, path));
    if (method !== 'GET' || route === undefined) return undefined;
    // Not request.headers: it joins repeated ones.
    const key = new NodeRequest(request).getHeader('sec-websocket-key');
    return key.length === KEY_LENGTH ? route : undefined;
  }

  /** Handles a request after which the connection is not HTTP any more, unless it is rejected. */
  #handshake(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const connection = this.#bySocket.get(socket);
    const route = this.#routeOf(request);
    if (connection === undefined || route === undefined) return;
    // It was sent before the responses to earlier requests.
    if (connection.busy) return connection.close();
    // A response that was just written still owns the socket.
    const previous = this.#lastResponse.get(socket);
    if (previous !== undefined) {
      previous.once('close', () => this.#handshake(request, socket, head));
      return;
    }
    const response = new ServerResponse(request);
    response.on('error', () => {});
    const ours = new NodeResponse(connection, request, response, (data, key, protocol) => {
      response.detachSocket(socket);
      this.#upgrade(connection, route, socket, head, data, key, protocol);
    });
    const theirs = new NodeRequest(request);
    if (!connection.began(ours)) return;
    response.assignSocket(socket);
    response.on('finish', () => {
      response.detachSocket(socket);
      if (ours.closes) return connection.linger();
      socket.pause();
      if (head.length > 0) socket.unshift(head);
      this.#parse(socket);
    });
    const isHttp11 = request.httpVersion === '1.1';
    const rejection = isHttp11 ? faultOf(request, theirs) : REJECTIONS.version;
    if (rejection !== undefined) return ours.reject(rejection);
    route.behavior.upgrade(ours, theirs, {});
  }

  #upgrade(
    connection: Connection,
    { behavior, server }: WebSocketRoute,
    socket: Socket,
    head: Buffer,
    data: unknown,
    key: string,
    protocol: string,
  ): void {
    // ws would drop it without notice.
    if (!socket.readable || !socket.writable) return connection.close();
    this.#connections.delete(connection);
    connection.release();
    // The handshake was validated: only what the response depends on is passed on.
    const headers = {
      upgrade: 'websocket',
      'sec-websocket-key': key,
      'sec-websocket-version': '13',
      ...(protocol !== '' && { 'sec-websocket-protocol': protocol }),
    };
    const request = { method: 'GET', url: '/', headers, socket } as unknown as IncomingMessage;
    server.handleUpgrade(request, socket, head, (ws) => {
      const ended = (webSocket: NodeWebSocket<unknown>) => this.#webSockets.delete(webSocket);
      const webSocket = new NodeWebSocket(ws, socket, data, behavior, ended);
      this.#webSockets.add(webSocket);
      behavior.open(webSocket);
    });
  }

  #parserFailed(error: NodeJS.ErrnoException, socket: object): void {
    const rejection = parserRejection(error);
    if (rejection !== undefined) this.#reject(socket, rejection);
    else this.#bySocket.get(socket)?.close();
  }

  #reject(socket: object, rejection: Rejection): void {
    const connection = this.#bySocket.get(socket);
    if (connection === undefined || !connection.failed()) return;
    writeRejection(connection.socket, rejection);
    connection.linger();
  }

  #check(): void {
    const nowMs = performance.now();
    for (const connection of [...this.#connections]) connection.checkDeadline(nowMs);
    for (const socket of [...this.#webSockets]) socket.check(nowMs);
  }
}
