/** Handshakes of `/ws`: validation, authentication, acceptance or rejection. */
import { EVENT_CODES } from '../../../common/errors.ts';
import { LIMITS } from '../../../config/limits.ts';
import type { Logger } from '../../../logging/logger.ts';
import { type Counters, cells } from '../../../metrics/counters.ts';
import type { AddressKey } from '../../admission/address.ts';
import type { Authenticator } from '../../admission/authenticator.ts';
import type { ConnectionAdmission } from '../../admission/connections.ts';
import type { AuthResult } from '../../admission/identity.ts';
import type { TurnBudget } from '../../overload/turn-budget.ts';
import type { ActiveStreams } from '../../streams/active-streams.ts';
import {
  type Authorized,
  authenticateHandshake,
  authorized,
  connectionLimitResponse,
  originTrust,
  resolveUnlessAborted,
  unauthorizedResponse,
} from '../authorize.ts';
import { type ClientFacts, FactReader } from '../client-facts.ts';
import { resentEvents } from '../declared-repeats.ts';
import { closeAfterError } from '../fault-containment.ts';
import { expectationOf } from '../http/expectation.ts';
import { handshakeFault, markClosing } from '../http/framing.ts';
import {
  errorResponse,
  RETRY_SOON,
  type ResponseContent,
  requestError,
  type SendOptions,
  sendInTurn,
} from '../http/responses.ts';
import { streamNameIn, WEB_SOCKET_PATH } from '../paths.ts';
import { Fifo } from '../slicer.ts';
import type { HttpRequest, HttpResponse } from '../transport/transport.ts';

export const SUBPROTOCOL = 'forebay.v1';

const REJECTIONS = [
  'bad_request',
  'forbidden_origin',
  'unauthorized',
  'identity_unavailable',
  'unknown_stream',
  'forbidden_stream',
  'draining',
  'too_many_connections',
  'request_timeout',
] as const;
const REJECTED = cells('forebay_handshakes_refused_total', REJECTIONS);

/** Facts of a handshake that outlive its request. */
export interface Handshake {
  /** The client requests {@link SUBPROTOCOL}. */
  readonly acknowledged: boolean;
  /** Its `Sec-WebSocket-Key`. */
  readonly webSocketKey: string;
  readonly addressKey: AddressKey;
  /** Stream in its path; undefined = none. */
  readonly streamName: string | undefined;
  /** Origin of its page; '' = none was sent. */
  readonly origin: string;
  readonly client: ClientFacts;
  readonly context: object;
}

export interface UpgradeOptions {
  readonly authenticator: Authenticator;
  readonly admission: ConnectionAdmission;
  readonly streams: ActiveStreams;
  readonly counters: Counters;
  readonly turn: TurnBudget;
  readonly log: Logger;
}

/** Upgrades a connection. */
type Accept = (response: HttpResponse, handshake: Handshake, sender: Authorized) => void;

export class Upgrades {
  readonly #options: UpgradeOptions;
  readonly #accept: Accept;
  readonly #facts: FactReader;
  /** Handshakes that wait for authentication or for another turn. */
  #pending = 0;
  /** Handshakes decided in this turn, and those that wait for another one. */
  #inTurn = 0;
  readonly #deferred = new Fifo<() => void>();
  #rejecting = false;

  /** @param accept upgrades the connection */
  constructor(options: UpgradeOptions, accept: Accept) {
    this.#options = options;
    this.#accept = accept;
    this.#facts = new FactReader(options.admission);
  }

  /** A handshake waits for authentication or for another turn. */
  get busy(): boolean {
    return this.#pending > 0;
  }

  /** Rejects all further handshakes: this instance stops. */
  rejectAll(): void {
    this.#rejecting = true;
  }

  /** Counts a connection closed before any request, on which no response can be sent. */
  countClosed(reason: 'too_many_connections' | 'request_timeout'): void {
    this.#options.counters.add(REJECTED[reason]);
  }

  /** Accepts or rejects a handshake. */
  handle(response: HttpResponse, request: HttpRequest, context: object): void {
    try {
      this.#handleUpgrade(response, request, context);
    } catch (error) {
      closeAfterError(response, this.#options.log, error);
    }
  }

  #handleUpgrade(response: HttpResponse, request: HttpRequest, context: object): void {
    const { authenticator, admission, streams, log } = this.#options;
    markClosing(response, request);
    const fault = handshakeFault(request);
    if (fault !== undefined) {
      const content = errorResponse(400, 'bad_request', fault);
      return this.#reject(response, 'bad_request', content, { close: true });
    }
    if (expectationOf(request) === 'unknown') {
      return this.#reject(response, 'bad_request', requestError('expectation_failed'));
    }
    if (request.getHeader('sec-websocket-version') !== '13') {
      const message = 'the WebSocket version must be 13';
      const headers = { 'Sec-WebSocket-Version': '13' };
      const content = errorResponse(400, 'bad_request', message, headers);
      return this.#reject(response, 'bad_request', content);
    }
    if (originTrust(authenticator, request) === 'none') {
      return this.#reject(response, 'forbidden_origin', requestError('forbidden_origin'));
    }
    const resent = resentEvents(request);
    if (resent === undefined) {
      const content = errorResponse(400, 'bad_request', 'resent must be one number of events');
      return this.#reject(response, 'bad_request', content);
    }
    const addressKey = admission.limitKeyOf(response, request);
    if (this.#rejectIfFull(response, addressKey)) return;
    const requested = request.getHeader('sec-websocket-protocol').split(',');
    const names = requested.map((name) => name.trim());
    const acknowledged = names.includes(SUBPROTOCOL);
    const webSocketKey = request.getHeader('sec-websocket-key');
    const streamName = streamNameIn(WEB_SOCKET_PATH, request.getUrl());
    const origin = request.getHeader('origin');
    const facts = this.#facts.read(streams.table.headers, 'ws', response, request);
    const client = { facts, resent };
    const handshake = {
      acknowledged,
      webSocketKey,
      addressKey,
      streamName,
      origin,
      client,
      context,
    };
    const isOpen = streams.table.isOpen(streamName);
    const auth = authenticateHandshake(authenticator, request, names, isOpen);
    if (!(auth instanceof Promise) && this.#fitsTurn()) {
      return this.#finish(response, handshake, auth);
    }
    this.#pending++;
    const paced = this.#inTime(auth);
    void paced.then(() => this.#pending--);
    const use = (result: AuthResult) =>
      response.cork(() => {
        // Others may have been accepted meanwhile.
        if (!this.#rejectIfFull(response, addressKey)) this.#finish(response, handshake, result);
      });
    resolveUnlessAborted(response, paced, use, (error) => closeAfterError(response, log, error));
  }

  /** Returns the result when a turn has room for its handshake. */
  async #inTime(auth: AuthResult | Promise<AuthResult>): Promise<AuthResult> {
    const result = await auth;
    if (!this.#fitsTurn()) await new Promise<void>((resolve) => this.#deferred.push(resolve));
    return result;
  }

  /** Counts a handshake of this turn. @returns whether the turn has room for it */
  #fitsTurn(): boolean {
    if (this.#inTurn >= LIMITS.upgradesPerTurn) return false;
    if (this.#inTurn++ === 0) this.#options.turn.afterTurn(() => this.#nextTurn());
    return true;
  }

  #nextTurn(): void {
    this.#inTurn = 0;
    while (this.#deferred.length > 0 && this.#fitsTurn()) this.#deferred.shift()?.();
  }

  /** Rejects a handshake from any client at capacity or during a stop. @returns whether it did */
  #rejectIfFull(response: HttpResponse, addressKey: AddressKey): boolean {
    if (this.#rejecting) {
      const content = errorResponse(503, 'draining', EVENT_CODES.draining.text, RETRY_SOON);
      this.#reject(response, 'draining', content);
      return true;
    }
    const { admission } = this.#options;
    const limit = admission.exceededLimit(addressKey);
    if (limit === undefined) return false;
    const content = connectionLimitResponse(limit, admission.maxPerAddress);
    this.#reject(response, 'too_many_connections', content, { close: true });
    return true;
  }

  #finish(response: HttpResponse, handshake: Handshake, auth: AuthResult): void {
    const { streamName, origin, acknowledged } = handshake;
    const { streams } = this.#options;
    const result = authorized(auth, streams.table, streamName, { origin, plain: !acknowledged });
    if (typeof result === 'string') this.#reject(response, result, unauthorizedResponse(result));
    else this.#accept(response, handshake, result);
  }

  #reject(
    response: HttpResponse,
    reason: (typeof REJECTIONS)[number],
    content: ResponseContent,
    options?: SendOptions,
  ): void {
    const { admission, counters, turn } = this.#options;
    counters.add(REJECTED[reason]);
    const sendOptions = options ?? { close: !admission.keepAlive(admission.peerKeyOf(response)) };
    sendInTurn(turn, response, content, sendOptions);
  }
}
