/** The handshakes of `/ws`: which are taken, and what the others are answered. */
import { EVENT_CODES } from '../../../common/errors.ts';
import type { Logger } from '../../../logging/logger.ts';
import { type Counters, cells } from '../../../metrics/counters.ts';
import type { Place } from '../../admission/address.ts';
import type { Gate } from '../../admission/authenticator.ts';
import type { ConnectionAdmission } from '../../admission/connections.ts';
import type { Identity, Verdict } from '../../admission/identity.ts';
import type { TurnBudget } from '../../overload/turn-budget.ts';
import { admitHandshake, decideLater, noRoom, notAdmitted, trustOfPage } from '../authorize.ts';
import { abandon } from '../fault-containment.ts';
import { expectationOf } from '../http/expectation.ts';
import { handshakeFault, markClosing } from '../http/framing.ts';
import {
  AGAIN_SOON,
  type Answer,
  errorAnswer,
  type Manner,
  requestError,
  sendInTurn,
} from '../http/responses.ts';
import type { HttpRequest, HttpResponse } from '../uws.ts';

export const SUBPROTOCOL = 'forebay.v1';

const REFUSALS = [
  'bad_request',
  'forbidden_origin',
  'unauthorized',
  'identity_unavailable',
  'draining',
  'too_many_connections',
  'request_timeout',
] as const;
const REFUSED = cells('forebay_handshakes_refused_total', REFUSALS);

/** What is kept of a handshake until it is decided: its request is gone then. */
export interface Handshake {
  /** It asks for {@link SUBPROTOCOL}. */
  readonly acknowledged: boolean;
  /** Its `Sec-WebSocket-Key`. */
  readonly webSocketKey: string;
  readonly place: Place;
  readonly context: object;
}

export interface HandshakeOptions {
  readonly gate: Gate;
  readonly admission: ConnectionAdmission;
  readonly counters: Counters;
  readonly turn: TurnBudget;
  readonly log: Logger;
}

export class Handshakes {
  readonly #options: HandshakeOptions;
  readonly #accept: (response: HttpResponse, handshake: Handshake, identity: Identity) => void;
  #undecided = 0;
  #refusing = false;

  /** @param accept makes a WebSocket of it */
  constructor(
    options: HandshakeOptions,
    accept: (response: HttpResponse, handshake: Handshake, identity: Identity) => void,
  ) {
    this.#options = options;
    this.#accept = accept;
  }

  /** One waits for its verdict. */
  get busy(): boolean {
    return this.#undecided > 0;
  }

  /** This instance stops: takes no more. */
  refuseAll(): void {
    this.#refusing = true;
  }

  /** A connection is closed that has not asked for anything: nothing can be said on it. */
  countClosed(reason: 'too_many_connections' | 'request_timeout'): void {
    this.#options.counters.add(REFUSED[reason]);
  }

  /** Takes or refuses one. */
  take(response: HttpResponse, request: HttpRequest, context: object): void {
    try {
      this.#take(response, request, context);
    } catch (error) {
      abandon(response, this.#options.log, error);
    }
  }

  #take(response: HttpResponse, request: HttpRequest, context: object): void {
    const { gate, admission, log } = this.#options;
    markClosing(response, request);
    const fault = handshakeFault(request);
    if (fault !== undefined) {
      const answer = errorAnswer(400, 'bad_request', fault);
      return this.#refuse(response, 'bad_request', answer, { close: true });
    }
    if (expectationOf(request) === 'unknown') {
      return this.#refuse(response, 'bad_request', requestError('expectation_failed'));
    }
    if (request.getHeader('sec-websocket-version') !== '13') {
      const message = 'the WebSocket version must be 13';
      const headers = { 'Sec-WebSocket-Version': '13' };
      const answer = errorAnswer(400, 'bad_request', message, headers);
      return this.#refuse(response, 'bad_request', answer);
    }
    if (trustOfPage(gate, request) === 'none') {
      return this.#refuse(response, 'forbidden_origin', requestError('forbidden_origin'));
    }
    const place = admission.placeOf(response, request);
    if (this.#refusesAny(response, place)) return;
    const asked = request.getHeader('sec-websocket-protocol').split(',');
    const names = asked.map((name) => name.trim());
    const acknowledged = names.includes(SUBPROTOCOL);
    const webSocketKey = request.getHeader('sec-websocket-key');
    const handshake = { acknowledged, webSocketKey, place, context };
    const verdict = admitHandshake(gate, request, names);
    if (!(verdict instanceof Promise)) return this.#decide(response, handshake, verdict);
    this.#undecided++;
    void verdict.then(() => this.#undecided--);
    const use = (decided: Verdict) =>
      response.cork(() => {
        // Others were taken meanwhile.
        if (!this.#refusesAny(response, place)) this.#decide(response, handshake, decided);
      });
    decideLater(response, verdict, use, (error) => abandon(response, log, error));
  }

  /** Refuses it, whosever it is, when there is no room for it. @returns whether it did */
  #refusesAny(response: HttpResponse, place: Place): boolean {
    if (this.#refusing) {
      const answer = errorAnswer(503, 'draining', EVENT_CODES.draining.text, AGAIN_SOON);
      this.#refuse(response, 'draining', answer);
      return true;
    }
    const { admission } = this.#options;
    const full = admission.full(place);
    if (full === undefined) return false;
    const answer = noRoom(full, admission.maxPerAddress);
    this.#refuse(response, 'too_many_connections', answer, { close: true });
    return true;
  }

  #decide(response: HttpResponse, handshake: Handshake, verdict: Verdict): void {
    if (typeof verdict === 'string') this.#refuse(response, verdict, notAdmitted(verdict));
    else this.#accept(response, handshake, verdict);
  }

  #refuse(
    response: HttpResponse,
    reason: (typeof REFUSALS)[number],
    answer: Answer,
    manner?: Manner,
  ): void {
    const { admission, counters, turn } = this.#options;
    counters.add(REFUSED[reason]);
    const stays = manner ?? { close: !admission.stay(admission.peerOf(response)) };
    sendInTurn(turn, response, answer, stays);
  }
}
