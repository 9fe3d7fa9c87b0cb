import { EXIT, StartError } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import { abandon } from './entrance.ts';
import { HttpListener, type HttpOptions } from './http.ts';
import {
  type App,
  type HttpRequest,
  type HttpResponse,
  type ListenSocket,
  loadUws,
} from './uws.ts';
import { WebSocketListener, type WebSocketOptions } from './websocket.ts';

export type ListenerOptions = Omit<WebSocketOptions & HttpOptions, 'maxEventBytes'> & {
  readonly host: string;
  readonly port: number;
  readonly log: Logger;
};

/** The public port of one worker, shared with the others by SO_REUSEPORT. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #uws = loadUws();
  readonly #http: HttpListener;
  readonly #webSocket: WebSocketListener;
  readonly #app: App;
  #listenSocket: ListenSocket | undefined;
  /** Connections that were accepted and have not ended before they became WebSockets. */
  #accepted = 0;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#http = new HttpListener({ ...options, maxEventBytes: options.maxFrameBytes });
    this.#webSocket = new WebSocketListener(options);
    this.#app = this.#uws
      .App()
      .filter((response, change) => this.#count(response, change))
      .ws('/ws', this.#webSocket.behavior)
      .any('/*', (response, request) => this.#guard(response, request));
  }

  /** Begins to accept. @throws StartError when the port cannot be had */
  listen(): void {
    const { host, port } = this.#options;
    this.#app.listen(host, port, (socket) => {
      if (socket !== false) this.#listenSocket = socket;
    });
    if (this.#listenSocket === undefined) {
      throw new StartError(`FOREBAY_PORT: cannot listen on ${host} port ${port}`, EXIT.failed);
    }
  }

  /** Connections are accepted. */
  get listens(): boolean {
    return this.#listenSocket !== undefined;
  }

  /** Accepts no more connections, and tells those that are open to go away. They go on for now. */
  leave(): void {
    if (this.#listenSocket === undefined) return;
    this.#uws.us_listen_socket_close(this.#listenSocket);
    this.#listenSocket = undefined;
    this.#http.leave();
    this.#webSocket.leave();
  }

  /** Somebody is there who is to hear more: an acknowledged client, or an HTTP request. */
  get busy(): boolean {
    return this.#http.busy || this.#webSocket.busy;
  }

  /** Looks for connections whose time is over. */
  look(): void {
    this.#webSocket.look();
  }

  /** Keys have changed: ends the connections of those that let nobody in any more. */
  lookAtIdentities(): void {
    this.#webSocket.lookAtIdentities();
  }

  /** Takes no more handshakes. */
  refuseHandshakes(): void {
    this.#webSocket.refuseHandshakes();
  }

  /** Ends every WebSocket with a close frame. */
  endAll(): void {
    this.#webSocket.endAll();
  }

  /** Closes what is still open. */
  close(): void {
    this.#webSocket.close();
    this.#app.close();
  }

  /** One too many is closed: waiting for a file it would take the next one that brokers need. */
  #count(response: HttpResponse, change: number): void {
    this.#accepted += change;
    const open = this.#accepted - this.#webSocket.ended;
    if (change < 0 || open <= this.#options.connections.all) return;
    this.#webSocket.countClosed();
    response.close();
  }

  /** A throw inside a handler of uWebSockets.js could end the process: it ends the request. */
  #guard(response: HttpResponse, request: HttpRequest): void {
    try {
      this.#http.handle(response, request);
    } catch (error) {
      abandon(response, this.#options.log, error);
    }
  }
}
