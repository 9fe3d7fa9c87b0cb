import { type BrokerAddress as Address, formatBrokerAddress } from '../../kafka/broker-address.ts';
import type { Logger } from '../../logging/logger.ts';
import type { Times } from './adaptive-timeouts.ts';
import { type ApiVersions, connectBroker, type KafkaConnection, renewLogin } from './kafkajs.ts';
import { type Api, type RequestBody, requestHead } from './protocol.ts';
import { type EndReason, WatchedSocket } from './socket.ts';

const CORRELATION_ID_MAX = 0x7fffffff;
/** UNSUPPORTED_SASL_MECHANISM, ILLEGAL_SASL_STATE, SASL_AUTHENTICATION_FAILED. */
const LOGIN_REFUSED: ReadonlySet<unknown> = new Set([33, 34, 58]);

export interface LinkOptions {
  readonly clientId: string;
  readonly ssl: object | undefined;
  readonly sasl: object | undefined;
  readonly logger: Logger;
}

export type { BrokerAddress as Address } from '../../kafka/broker-address.ts';

/** Why a request or a connection failed. */
export class LinkError extends Error {
  /** `configuration`: credentials are refused, people have to act. */
  readonly why: EndReason | 'connection' | 'configuration';
  constructor(why: LinkError['why'], message: string) {
    super(message);
    this.why = why;
  }
}

/**
 * A connection to one broker, one request at a time: what senders and metadata need of it. It lives
 * once: what failed is thrown away and a new link is made.
 */
export interface BrokerLink {
  /** Connected, and no request on its way. */
  readonly idle: boolean;
  readonly usable: boolean;
  /** Whether the broker takes requests of `api`, by what it said when the link was opened. */
  supports(api: Api): boolean;
  /** Connects and authenticates within `times`. @throws LinkError */
  open(times: Times): Promise<void>;
  /**
   * Sends one request. Whatever fails, the link is ended: an answer that comes later must not be
   * taken for the next one's.
   * @throws LinkError
   */
  request<T>(
    api: Api,
    body: RequestBody,
    decode: (raw: Buffer) => T | Promise<T>,
    times: Times,
  ): Promise<T>;
  /** Ends the connection; what is pending on it fails. */
  close(): void;
}

/** Makes a link that is not open yet. */
export type CreateLink = (address: Address) => BrokerLink;

/** On a connection that kafkajs opens; its socket is ours while a request is on its way. */
export class Link implements BrokerLink {
  readonly address: Address;
  readonly #options: LinkOptions;
  readonly #socket: WatchedSocket;
  #connection: KafkaConnection | undefined;
  #versions: ApiVersions = {};
  #busy = false;
  #closed = false;
  #correlationId = 0;
  /** Fails what is pending. */
  #reject: ((error: Error) => void) | undefined;

  constructor(address: Address, options: LinkOptions) {
    this.address = address;
    this.#options = options;
    this.#socket = new WatchedSocket(() => {
      this.#closed = true;
      // kafkajs says more of the reason, but does not always say something: it has the first word.
      setImmediate(() => this.#reject?.(new Error(this.#socket.failure)));
    });
  }

  get idle(): boolean {
    return this.usable && !this.#busy;
  }
  get usable(): boolean {
    return this.#connection !== undefined && !this.#closed && this.#connection.isConnected();
  }

  supports({ apiKey, apiVersion }: Api): boolean {
    const range = this.#versions[apiKey];
    return range !== undefined && range.minVersion <= apiVersion && apiVersion <= range.maxVersion;
  }

  async open({ handshakeMs, connectMs, requestMs }: Times): Promise<void> {
    const timer = setTimeout(() => this.#socket.end('connect_timeout'), connectMs);
    const { logger, ...options } = this.#options;
    try {
      const connecting = connectBroker({
        ...this.address,
        ...options,
        connectionTimeout: handshakeMs,
        requestTimeout: requestMs,
        socketFactory: this.#socket.factory,
        log: ({ log }) => logger.debug({ kafkajs: log.message }, 'kafkajs'),
      });
      const { connection, versions } = await this.#whileOpen(connecting);
      this.#connection = connection;
      this.#versions = versions;
      if (this.#closed) throw new Error('closed while connecting');
    } catch (error) {
      throw this.#failed(error, { handshakeMs, connectMs });
    } finally {
      clearTimeout(timer);
    }
  }

  async request<T>(
    api: Api,
    body: RequestBody,
    decode: (raw: Buffer) => T | Promise<T>,
    times: Times,
  ): Promise<T> {
    if (!this.idle) throw new LinkError('connection', 'the link cannot be used');
    this.#busy = true;
    this.#socket.watch(times);
    try {
      if (this.#sessionEnds) await this.#renewLogin();
      return await decode(await this.#exchange(api, body));
    } catch (error) {
      throw this.#failed(error);
    } finally {
      this.#busy = false;
      this.#socket.unwatch();
    }
  }

  close(): void {
    this.#closed = true;
    this.#socket.end('closed');
  }

  /** The broker will soon want another login (`connections.max.reauth.ms`). */
  get #sessionEnds(): boolean {
    return this.#options.sasl !== undefined && !this.#connection!.isAuthenticated();
  }

  async #renewLogin(): Promise<void> {
    await this.#whileOpen(renewLogin(this.#connection!));
    const broker = formatBrokerAddress(this.address);
    this.#options.logger.debug({ broker }, 'login renewed');
  }

  /** @returns what the broker answers, behind the correlation id */
  async #exchange(api: Api, body: RequestBody): Promise<Buffer> {
    const correlationId = ++this.#correlationId & CORRELATION_ID_MAX;
    const head = requestHead(api, correlationId, this.#options.clientId, body);
    const answer = await new Promise<Buffer>((resolve, reject) => {
      this.#reject = reject;
      this.#socket.exchange([head, ...body], resolve);
    });
    if (answer.readInt32BE(0) === correlationId) return answer.subarray(4);
    this.#socket.end('bad_response');
    throw new Error('the broker answered something else');
  }

  /**
   * What `pending` brings, or an error when the socket is gone before. Nothing is cleared behind it:
   * by then the next one may be pending, and to reject what is settled does nothing.
   */
  #whileOpen<T>(pending: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#reject = reject;
      pending.then(resolve, reject);
    });
  }

  /** @param bounds of opening the link, where that is what failed */
  #failed(error: unknown, bounds?: Pick<Times, 'handshakeMs' | 'connectMs'>): LinkError {
    const inHandshake = isHandshakeTimeout(error);
    if (inHandshake) this.#socket.end('connect_timeout');
    // kafkajs gives a connection that is lost during the login the name of a refused one.
    const refused = this.#socket.alive && isRefusedLogin(error);
    const why = refused ? 'configuration' : this.#socket.endReason;
    // A decoder that threw leaves the socket open; nothing on it can be trusted any more.
    this.#socket.end('bad_response');
    this.#closed = true;
    const boundMs = inHandshake ? bounds?.handshakeMs : bounds?.connectMs;
    const timedOut = why === 'connect_timeout' && boundMs !== undefined;
    const message = timedOut ? this.#silence(boundMs) : this.#message(error);
    // It had been open: what a close at the opening may mean does not apply.
    const lost = bounds === undefined && why === undefined ? 'connection lost: ' : '';
    return new LinkError(why ?? 'connection', lost + message);
  }

  #silence(boundMs: number): string {
    return `no ${this.#socket.connected ? 'answer' : 'connection'} within ${boundMs} ms`;
  }

  #message(error: unknown): string {
    const { stranger, failure } = this.#socket;
    if (stranger !== undefined) return stranger;
    const message = messageOf(error);
    // kafkajs has the text of the first error only, and one for several addresses has none.
    return message === 'Connection error: ' ? message + failure : message;
  }
}

function isRefusedLogin(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { name, code } = cause as Error & { code?: unknown };
    if (name === 'KafkaJSSASLAuthenticationError' || LOGIN_REFUSED.has(code)) return true;
  }
  return false;
}

/** kafkajs counts the time to TCP and TLS, and has no name of its own for its end. */
function isHandshakeTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === 'Connection timeout';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
