/**
 * The interface between ingress and its socket library. uWebSockets.js implements it natively
 * (uws.ts); node/ implements it on node:http and ws. Ingress relies on this contract only:
 *
 * - Handlers and methods run on the event loop of the worker; no method blocks. An exception in a
 *   handler ends the process.
 * - Memory passed to a handler as ArrayBuffer is valid until the handler returns, then reused.
 * - An {@link HttpRequest} is valid until its handler returns or first awaits.
 * - An {@link HttpResponse} is valid until its end, `close`, `upgrade` or abort. Calls after that
 *   throw or have no effect: ingress makes none.
 * - A {@link WebSocket} is valid from `open` until `close` returns.
 */

/** A listening socket, opaque to its holder. */
export type ListenSocket = object;

export interface WebSocket<T> {
  /** Bytes waiting in the send buffer, at least; 0 after the end of the connection. */
  getBufferedAmount(): number;
  /**
   * Sends a message: text, unless `isBinary`. Messages leave in the order of the calls.
   * @returns 1 = sent; 0 = waiting in the send buffer, `drain` follows; 2 = dropped because the
   * buffer holds more than `maxBackpressure`
   */
  send(message: string, isBinary?: boolean): 0 | 1 | 2;
  /**
   * Sends a close frame behind the messages sent, unless the buffer holds more than
   * `maxBackpressure`. Calls `behavior.close` with `code` and `reason` before it returns; frames that
   * arrive later are ignored. Has no effect after the end.
   */
  end(code: number, reason: string): void;
  /**
   * Ends the connection without a close frame and drops the send buffer. Calls `behavior.close`
   * with 1006 before it returns. @throws Error if it has ended
   */
  close(): void;
  /** Sends a ping. @returns as {@link send} */
  ping(message: string): 0 | 1 | 2;
  /**
   * Calls `write` before it returns; messages sent in it leave in few writes, each as soon as it is
   * long.
   */
  cork(write: () => void): void;
  /** Returns the object passed to `upgrade`. */
  getUserData(): T;
}

/** An accepted connection, before its first request. */
export interface AcceptedConnection {
  /** Ends the connection without a response. Calls the `onAborted` handler before it returns. */
  close(): unknown;
  /** Address of the socket's peer: 4 or 16 bytes. */
  getRemoteAddress(): ArrayBuffer;
  /** Address in the connection's last PROXY v2 header, from any sender; 0 bytes if none. */
  getProxiedRemoteAddress(): ArrayBuffer;
  /**
   * Registers the handler for a connection that ends before the response; called once, and not
   * after the end of the response. Replaces the previous handler. Required in every request handler
   * that does not respond before it returns.
   */
  onAborted(handler: () => void): unknown;
}

/** The response to one request; methods without a result return the response. */
export interface HttpResponse extends AcceptedConnection {
  /**
   * Writes code and reason of the status line. Comes first; without it the status is 200. As
   * `100 Continue\r\n` it sends an interim response at once; the status of the final response then
   * precedes the name of its first header, as `HTTP/1.1 <status>\r\n<name>`.
   */
  writeStatus(status: string): HttpResponse;
  /** Writes a header. Content-Length is written by `end`. */
  writeHeader(name: string, value: string): HttpResponse;
  /**
   * Ends the response. `closeConnection` announces and closes the connection when the response is
   * written; otherwise it serves the next request.
   */
  end(body?: string | Uint8Array, closeConnection?: boolean): HttpResponse;
  /**
   * Ends the response with `Content-Length: totalBytes`, unless earlier responses of the connection
   * are unread: then it stays open, and {@link onWritable} continues it with the rest of the body.
   * @returns whether more can be written, and whether the response is complete
   */
  tryEnd(rest: string | Uint8Array, totalBytes: number): [isWritable: boolean, isComplete: boolean];
  /** The handler is called with the written bytes of the body. @returns as `isWritable` */
  onWritable(handler: (offset: number) => boolean): HttpResponse;
  /** Ends the response without a body; `reportedLength` is its Content-Length. */
  endWithoutBody(reportedLength?: number, closeConnection?: boolean): HttpResponse;
  /**
   * Registers the handler of the body, before the request handler returns. It is called for each
   * chunk in order; once with `isLast`, also for a request without a body; and not after an abort.
   */
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): HttpResponse;
  /** Calls `write` before it returns; what it writes leaves in one write. */
  cork(write: () => void): HttpResponse;
  /** Stops reading from the socket until {@link resume}; chunks read before are still delivered. */
  pause(): void;
  /** Resumes after {@link pause}; without a pause, reading stops. Resets the idle timeout. */
  resume(): void;
  /**
   * Accepts a handshake, during the upgrade handler or later. Calls `behavior.open` before it
   * returns. `protocol` is the chosen subprotocol, '' = none.
   */
  upgrade<T>(data: T, key: string, protocol: string, extensions: string, context: object): void;
}

export interface HttpRequest {
  /**
   * Value of the first header of this lower-case name; '' when absent. Each transport decodes bytes
   * beyond ASCII in its own way.
   */
  getHeader(name: string): string;
  /** The path, without the query. */
  getUrl(): string;
  /** The query without `?`, as sent; '' when absent. */
  getQuery(): string;
  /** The method as sent by the client: methods are case-sensitive. */
  getCaseSensitiveMethod(): string;
  /**
   * Visits all headers in order, including repeated ones; names in lower case. Bytes of a value
   * that are not UTF-8 are replaced by U+FFFD.
   */
  forEach(visit: (name: string, value: string) => void): void;
}

/** Settings and handlers of the WebSockets of a path. */
export interface WebSocketBehavior<T> {
  /** Longer messages, also in fragments, end the connection. */
  maxPayloadLength: number;
  /** Bytes in the send buffer above which messages are dropped. */
  maxBackpressure: number;
  /** Seconds without a byte from the client after which the connection ends, with 1006. */
  idleTimeout: number;
  /** Sends a ping to idle clients, some seconds before `idleTimeout`. */
  sendPingsAutomatically: boolean;
  /**
   * Handles a GET request with a `Sec-WebSocket-Key` of 24 characters; the rest of the handshake is
   * not validated.
   */
  upgrade(response: HttpResponse, request: HttpRequest, context: object): void;
  open(socket: WebSocket<T>): void;
  /** Handles a complete message. Text is valid UTF-8. */
  message(socket: WebSocket<T>, message: ArrayBuffer, isBinary: boolean): void;
  /**
   * The memory taken by the incomplete message of a socket has changed; 0 = there is none. Called
   * by transports with `reportsPartial`.
   */
  partial?(socket: WebSocket<T>, bytes: number): void;
  /** Some of the send buffer was written to the network. */
  drain?(socket: WebSocket<T>): void;
  /** Called after the automatic pong. */
  ping?(socket: WebSocket<T>, message: ArrayBuffer): void;
  pong(socket: WebSocket<T>, message: ArrayBuffer): void;
  /**
   * Called once, as the last handler: with the client's code, this side's, or 1006 and a reason
   * if the connection was cut. The reason of a timeout contains `timed out`.
   */
  close(socket: WebSocket<T>, code: number, reason: ArrayBuffer): void;
}

type Handler = (response: HttpResponse, request: HttpRequest) => void;

/** A public port. Its methods return the app. */
export interface App {
  /**
   * Registers a handler for accepted connections (1) and ended ones (-1), except those that became
   * WebSockets. The handler may close a new one; its `onAborted` handler is called if the
   * connection ends before its first request, whose handler replaces it.
   */
  filter(handler: (connection: AcceptedConnection, change: number) => void): App;
  /** Registers the handler of all requests without another one; `pattern` is `/*`. */
  any(pattern: string, handler: Handler): App;
  /** Registers the WebSockets of a path, or with `/*` of all paths below it. */
  ws<T>(pattern: string, behavior: WebSocketBehavior<T>): App;
  /**
   * Listens on a port that other workers share. Calls `done` once, before it returns or later, with
   * false if the port is not available.
   */
  listen(host: string, port: number, done: (socket: ListenSocket | false) => void): App;
  /** Ends the listening socket and all connections. */
  close(): App;
}

export interface TlsOptions {
  cert_file_name: string;
  key_file_name: string;
  /** OpenSSL cipher list, for TLS 1.2 only. */
  ssl_ciphers: string;
}

/** A socket library. */
export interface Transport {
  readonly name: TransportName;
  /** It reports the memory of incomplete messages. */
  readonly reportsPartial: boolean;
  /**
   * Creates an app, with TLS 1.2 or later if `tls` is given.
   * @throws Error if the files of `tls` are unusable
   */
  createApp(tls?: TlsOptions): App;
  /**
   * Stops accepting connections; those accepted are served. Calls `closed` once, before it returns
   * or later, when the last connection has arrived.
   */
  closeListenSocket(socket: ListenSocket, closed: () => void): void;
}

export type TransportName = 'uws' | 'node';
