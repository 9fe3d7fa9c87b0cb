import { EXIT, StartError } from '../../common/errors.ts';
import { networksOf } from '../../common/ip-addresses.ts';
import { LIMITS } from '../../config/limits.ts';
import type { Logger } from '../../logging/logger.ts';
import { type Counters, cell, cells } from '../../metrics/counters.ts';
import type { AddressKey } from '../admission/address.ts';
import type { ConnectionAdmission } from '../admission/connections.ts';
import { ProxyWatch } from '../admission/proxy-watch.ts';
import type { TurnBudget } from '../overload/turn-budget.ts';
import type { ActiveStreams } from '../streams/active-streams.ts';
import { closeAfterError } from './fault-containment.ts';
import { framingFault, markChunked } from './http/framing.ts';
import type { HttpHandler } from './http/http-handler.ts';
import { WEB_SOCKET_PATH } from './paths.ts';
import { logCertificate, type TlsFiles, tlsApp } from './tls.ts';
import type {
  AcceptedConnection,
  App,
  HttpRequest,
  HttpResponse,
  ListenSocket,
  Transport,
  WebSocketBehavior,
} from './transport/transport.ts';
import type { Connection } from './websocket/connection.ts';
import type { WebSocketHandler } from './websocket/websocket-handler.ts';

const OPEN = cells('forebay_connections', ['http']).http;
const OPENED = cells('forebay_connections_opened_total', ['http']).http;

/** The transport, the handlers of the port, and its bounds. */
export interface ListenerOptions {
  readonly transport: Transport;
  readonly http: HttpHandler;
  readonly webSocket: WebSocketHandler;
  readonly admission: ConnectionAdmission;
  readonly streams: Pick<ActiveStreams, 'areDeclared'>;
  readonly turn: TurnBudget;
  readonly host: string;
  readonly port: number;
  /** Files for TLS; undefined = plain text. */
  readonly tls: TlsFiles | undefined;
  /** Logs the certificate, which is the same for all workers. */
  readonly logsCertificate: boolean;
  /** Addresses and networks of proxies. */
  readonly trustedProxies: readonly string[];
  /** Connections of all kinds. */
  readonly maxConnections: number;
  readonly counters: Counters;
  readonly log: Logger;
}

const NOT_AFTER = cell('forebay_tls_certificate_not_after_seconds');

/** The public port of one worker, shared with the others. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #http: HttpHandler;
  readonly #webSocket: WebSocketHandler;
  readonly #proxies: ProxyWatch;
  readonly #app: App;
  #listenSocket: ListenSocket | undefined;
  #draining = false;
  /** Accepted connections, minus those that ended before they became WebSockets. */
  #accepted = 0;

  constructor(options: ListenerOptions) {
    this.#options = options;
    const { http, webSocket, turn, admission } = options;
    this.#http = http;
    this.#webSocket = webSocket;
    this.#proxies = new ProxyWatch(networksOf(options.trustedProxies), options.log);
    const { upgrade, ...behavior } = this.#webSocket.behavior;
    const webSockets: WebSocketBehavior<Connection> = {
      ...behavior,
      upgrade: (response, request, context) => {
        this.#proxies.requestParsed(response);
        turn.spend(LIMITS.requestHeadBytes);
        admission.markActive(admission.peerKeyOf(response));
        upgrade(response, request, context);
      },
    };
    this.#app = this.#createApp()
      .filter((connection, change) => this.#countConnection(connection, change))
      .ws(WEB_SOCKET_PATH, webSockets);
    // Without a stream file, a longer path is unknown.
    if (options.streams.areDeclared) this.#app.ws(`${WEB_SOCKET_PATH}/*`, webSockets);
    this.#app.any('/*', (response, request) => this.#handle(response, request));
  }

  #createApp(): App {
    const { transport, tls, counters, log, logsCertificate } = this.#options;
    if (tls === undefined) return transport.createApp();
    const { app, certificate } = tlsApp(transport, tls);
    counters.set(NOT_AFTER, certificate.notAfterMs / 1000);
    if (logsCertificate) logCertificate(log, certificate);
    return app;
  }

  /**
   * Starts accepting connections, unless the drain has begun.
   * @throws StartError if the port is not available
   */
  async listen(): Promise<void> {
    const { host, port } = this.#options;
    const socket = await new Promise<ListenSocket | false>((done) => {
      this.#app.listen(host, port, done);
    });
    if (socket === false) {
      throw new StartError(`FOREBAY_PORT: cannot listen on ${host} port ${port}`, EXIT.failed);
    }
    this.#listenSocket = socket;
    if (this.#draining) this.#stopAccepting();
  }

  /** Stops accepting, and asks open connections to go away; they are served until then. */
  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    if (this.#listenSocket === undefined) return;
    this.#stopAccepting();
    this.#http.drain();
    this.#webSocket.drain();
  }

  #stopAccepting(): void {
    const { transport } = this.#options;
    transport.closeListenSocket(this.#listenSocket!, () => {
      this.#listenSocket = undefined;
    });
  }

  /** It accepts connections, an acknowledged client is connected, or a request is unanswered. */
  get busy(): boolean {
    return this.#listenSocket !== undefined || this.#http.busy || this.#webSocket.busy;
  }

  /** A complete frame or body has been received and is not fully decoded. */
  get decoding(): boolean {
    return this.#http.decoding || this.#webSocket.decoding;
  }

  /** Closes all remaining connections. */
  close(): void {
    this.#webSocket.close();
    this.#http.close();
    this.#options.admission.close();
    this.#app.close();
  }

  /**
   * Closes a connection above the limit: left in the backlog, it would take a descriptor that the
   * broker connections need.
   */
  #countConnection(connection: AcceptedConnection, change: number): void {
    const { counters } = this.#options;
    this.#accepted += change;
    counters.add(OPEN, change);
    const open = this.#accepted - this.#webSocket.ended;
    if (change < 0) return;
    counters.add(OPENED);
    const { admission, maxConnections } = this.#options;
    const peer = admission.peerKeyOf(connection);
    if (open <= maxConnections && admission.accept(peer)) {
      return this.#watchFirstRequest(connection, peer);
    }
    this.#webSocket.countClosed('too_many_connections');
    connection.close();
  }

  /**
   * Counts a connection that ends without a request. uWebSockets.js closes a connection whose
   * request headers are incomplete after LIMITS.firstRequestMs, and reports it to `onAborted` only.
   * The first request replaces this handler.
   */
  #watchFirstRequest(connection: AcceptedConnection, peer: AddressKey): void {
    const sinceMs = performance.now();
    const ended = this.#proxies.opened(connection);
    connection.onAborted(() => {
      ended?.();
      this.#options.admission.markActive(peer);
      if (performance.now() - sinceMs < LIMITS.firstRequestMs - LIMITS.timerTickMs) return;
      this.#webSocket.countClosed('request_timeout');
    });
  }

  /** Contains errors: an exception in a uWebSockets.js handler ends the worker. */
  #handle(response: HttpResponse, request: HttpRequest): void {
    try {
      const { admission } = this.#options;
      this.#proxies.requestParsed(response);
      admission.markActive(admission.peerKeyOf(response));
      const fault = framingFault(request);
      if (fault !== undefined) return this.#http.rejectFraming(response, request, fault);
      markChunked(response, request);
      this.#http.handle(response, request);
    } catch (error) {
      closeAfterError(response, this.#options.log, error);
    }
  }
}
