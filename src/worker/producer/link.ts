import { type BrokerAddress as Address, formatBrokerAddress } from '../../kafka/broker-address.ts';
import type { Logger } from '../../logging/logger.ts';
import type { Timeouts } from './adaptive-timeouts.ts';
import {
  type ApiVersions,
  connectBroker,
  type KafkaConnection,
  reauthenticate,
} from './kafkajs.ts';
import { type Api, type RequestBody, requestHead } from './protocol.ts';
import { type EndReason, WatchedSocket } from './socket.ts';

const CORRELATION_ID_MAX = 0x7fffffff;
/** SASL errors that retries cannot fix; kafkajs exposes their numbers only. */
const AUTHENTICATION_ERRORS: ReadonlySet<unknown> = new Set([
  33, // UNSUPPORTED_SASL_MECHANISM
  34, // ILLEGAL_SASL_STATE
  58, // SASL_AUTHENTICATION_FAILED
]);

export interface LinkOptions {
  readonly clientId: string;
  readonly ssl: object | undefined;
  readonly sasl: object | undefined;
  readonly logger: Logger;
}

export type { BrokerAddress as Address } from '../../kafka/broker-address.ts';

/** Failure of a request or a connection. */
export class LinkError extends Error {
  /** `configuration`: credentials are rejected, an operator has to act. */
  readonly why: EndReason | 'connection' | 'configuration';
  constructor(why: LinkError['why'], message: string) {
    super(message);
    this.why = why;
  }
}

/**
 * Connection to one broker with one request at a time, for records or metadata. It is single-use:
 * after a failure it is discarded and a new link is created.
 */
export interface BrokerLink {
  /** Connected, without a request in flight. */
  readonly idle: boolean;
  readonly usable: boolean;
  /** Whether the broker supports the version of `api`, according to ApiVersions. */
  supports(api: Api): boolean;
  /** Connects and authenticates within `times`. @throws LinkError */
  open(times: Timeouts): Promise<void>;
  /**
   * Sends one request. Any failure closes the link: a late response must not be taken for the next
   * one.
   * @throws LinkError
   */
  request<T>(
    api: Api,
    body: RequestBody,
    decode: (raw: Buffer) => T | Promise<T>,
    times: Timeouts,
  ): Promise<T>;
  /** Closes the connection; a pending request fails. */
  close(): void;
}

/** Creates a link that is not open yet. */
export type CreateLink = (address: Address) => BrokerLink;

/** Link on a connection that kafkajs opens; requests use its socket directly. */
export class Link implements BrokerLink {
  readonly address: Address;
  readonly #options: LinkOptions;
  readonly #socket: WatchedSocket;
  #connection: KafkaConnection | undefined;
  #versions: ApiVersions = {};
  #busy = false;
  #closed = false;
  #correlationId = 0;
  /** Rejects the pending promise. */
  #reject: ((error: Error) => void) | undefined;

  constructor(address: Address, options: LinkOptions) {
    this.address = address;
    this.#options = options;
    this.#socket = new WatchedSocket(() => {
      this.#closed = true;
      // kafkajs reports a better reason, but not always one: it goes first.
      setImmediate(() => this.#reject?.(new Error(this.#socket.failure)));
    });
  }

  get idle(): boolean {
    return this.usable && !this.#busy;
  }
  get usable(): boolean {
    return this.#connection !== undefined && !this.#closed && this.#connection.isConnected();
  }

  /** Request versions of the broker; none before it is open. */
  get versions(): ApiVersions {
    return this.#versions;
  }

  supports({ apiKey, apiVersion }: Api): boolean {
    const range = this.#versions[apiKey];
    return range !== undefined && range.minVersion <= apiVersion && apiVersion <= range.maxVersion;
  }

  async open({ handshakeMs, connectMs, requestMs }: Timeouts): Promise<void> {
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
    times: Timeouts,
  ): Promise<T> {
    if (!this.idle) throw new LinkError('connection', 'the link cannot be used');
    this.#busy = true;
    this.#socket.watch(times);
    try {
      if (this.#needsReauthentication) await this.#reauthenticate();
      return await decode(await this.#sendRequest(api, body));
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

  /** The SASL session is about to expire (`connections.max.reauth.ms`). */
  get #needsReauthentication(): boolean {
    return this.#options.sasl !== undefined && !this.#connection!.isAuthenticated();
  }

  async #reauthenticate(): Promise<void> {
    await this.#whileOpen(reauthenticate(this.#connection!));
    const broker = formatBrokerAddress(this.address);
    this.#options.logger.debug({ broker }, 'login renewed');
  }

  /** @returns the response behind the correlation id */
  async #sendRequest(api: Api, body: RequestBody): Promise<Buffer> {
    const correlationId = ++this.#correlationId & CORRELATION_ID_MAX;
    const head = requestHead(api, correlationId, this.#options.clientId, body);
    const answer = await new Promise<Buffer>((resolve, reject) => {
      this.#reject = reject;
      this.#socket.request([head, ...body], resolve);
    });
    if (answer.readInt32BE(0) === correlationId) return answer.subarray(4);
    this.#socket.end('bad_response');
    throw new Error('unexpected correlation id in a response');
  }

  /**
   * Settles with `pending`, or rejects when the socket closes first. `#reject` is not cleared: the
   * next promise may be pending by then, and rejecting a settled one has no effect.
   */
  #whileOpen<T>(pending: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#reject = reject;
      pending.then(resolve, reject);
    });
  }

  /** @param bounds timeouts of opening, if that failed */
  #failed(error: unknown, bounds?: Pick<Timeouts, 'handshakeMs' | 'connectMs'>): LinkError {
    const inHandshake = isHandshakeTimeout(error);
    if (inHandshake) this.#socket.end('connect_timeout');
    // kafkajs reports a connection lost during authentication as an authentication failure.
    const refused = this.#socket.alive && isAuthenticationError(error);
    const why = refused ? 'configuration' : this.#socket.endReason;
    // A decoder that threw leaves the socket open, in an unknown state.
    this.#socket.end('bad_response');
    this.#closed = true;
    const boundMs = inHandshake ? bounds?.handshakeMs : bounds?.connectMs;
    const timedOut = why === 'connect_timeout' && boundMs !== undefined;
    const message = timedOut ? this.#timeoutMessage(boundMs) : this.#message(error);
    // The connection was open: hints about closed new connections do not apply.
    const lost = bounds === undefined && why === undefined ? 'connection lost: ' : '';
    return new LinkError(why ?? 'connection', lost + message);
  }

  #timeoutMessage(boundMs: number): string {
    return `no ${this.#socket.connected ? 'answer' : 'connection'} within ${boundMs} ms`;
  }

  #message(error: unknown): string {
    const { foreignResponse, failure } = this.#socket;
    if (foreignResponse !== undefined) return foreignResponse;
    const message = messageOf(error);
    // kafkajs keeps the text of the first error only; an aggregate has none.
    return message === 'Connection error: ' ? message + failure : message;
  }
}

function isAuthenticationError(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { name, code } = cause as Error & { code?: unknown };
    if (name === 'KafkaJSSASLAuthenticationError' || AUTHENTICATION_ERRORS.has(code)) return true;
  }
  return false;
}

/** kafkajs bounds the TCP and TLS handshakes with an error that has only a message. */
function isHandshakeTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === 'Connection timeout';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
