import { LIMITS } from '../../limits.ts';
import type { Readiness } from '../../messages.ts';
import { cells } from '../../metrics/counters.ts';
import { pageFile } from '../../page/page.ts';
import type { Budget } from '../accumulator/budget.ts';
import type { Gate } from '../admission/gate.ts';
import type { Identity, NotAdmitted, Verdict } from '../admission/identity.ts';
import type { MemoryMark } from '../admission/memory-mark.ts';
import {
  AGAIN_SOON,
  type Answer,
  countRefused,
  errorAnswer,
  jsonBody,
  type Manner,
  requestError,
  send,
} from './answers.ts';
import { PausedBodies, readBody } from './body.ts';
import { BodyWatch } from './body-watch.ts';
import { corsHeaders, preflightHeaders } from './cors.ts';
import { admitRequest, isAllowedPage, notAdmitted } from './entrance.ts';
import { Exchange } from './exchange.ts';
import { abandon } from './failure.ts';
import { hasBody } from './framing.ts';
import { HeldBody } from './held-body.ts';
import { isGzip, mediaOf, UNSUPPORTED_ENCODING, UNSUPPORTED_TYPE } from './media.ts';
import type { HttpRequest, HttpResponse } from './uws.ts';
import { type BodyOptions, WholeBodies } from './whole-bodies.ts';

const NOT_UPGRADED = cells('forebay_handshakes_refused_total', ['bad_request']).bad_request;
const ALLOW = { events: 'POST, OPTIONS', others: 'GET, HEAD, OPTIONS' } as const;

export interface HttpOptions extends BodyOptions {
  readonly gate: Gate;
  readonly budget: Budget;
  readonly memory: Pick<MemoryMark, 'over'>;
  /** The rate that a body must keep up with, after a grace. */
  readonly minBodyBytesPerSecond: number;
  readonly readiness: () => Readiness;
}

/** Everything of the public port but `/ws`: events by POST, the page, health. */
export class HttpListener {
  readonly #options: HttpOptions;
  readonly #paused: PausedBodies;
  readonly #watch: BodyWatch;
  readonly #whole: WholeBodies;
  /** Bodies that are not whole or not answered. */
  #open = 0;
  #leaving = false;

  constructor(options: HttpOptions) {
    this.#options = options;
    this.#paused = new PausedBodies(options.budget);
    this.#watch = new BodyWatch(options.minBodyBytesPerSecond);
    this.#whole = new WholeBodies(options);
  }

  /** A request is not answered yet whose client is still there. */
  get busy(): boolean {
    return this.#open > 0;
  }

  /** A body is whole, and not all of it is handed on. */
  get decoding(): boolean {
    return this.#whole.busy;
  }

  /** From now on answers close their connections: this worker ends. */
  leave(): void {
    this.#leaving = true;
  }

  close(): void {
    this.#watch.close();
  }

  /** Answers any request; `/ws` comes here when it is no handshake. */
  handle(response: HttpResponse, request: HttpRequest): void {
    const path = request.getUrl();
    if (path === '/events') return this.#events(response, request);
    const method = request.getCaseSensitiveMethod();
    const answer = this.#get(path);
    if (method === 'GET' || method === 'HEAD' || answer.status === 404) {
      if (answer.status === 426) this.#options.counters.add(NOT_UPGRADED);
      return this.#finish(response, request, answer);
    }
    const headers = { Allow: ALLOW.others };
    if (method === 'OPTIONS') this.#finish(response, request, { status: 204, headers, body: '' });
    else this.#finish(response, request, requestError('method_not_allowed', headers));
  }

  #get(path: string): Answer {
    switch (path) {
      case '/livez':
        return { status: 200, body: jsonBody({ alive: true }) };
      case '/readyz': {
        const readiness = this.#options.readiness();
        return { status: readiness.ready ? 200 : 503, body: jsonBody(readiness) };
      }
      case '/ws': {
        const headers = { Upgrade: 'websocket', Connection: 'Upgrade' };
        return errorAnswer(426, 'bad_request', 'this address speaks WebSocket', headers);
      }
      default: {
        const file = pageFile(path);
        if (file === undefined) return requestError('not_found');
        return { status: 200, ...file };
      }
    }
  }

  #events(response: HttpResponse, request: HttpRequest): void {
    const origin = request.getHeader('origin');
    const isAllowed = isAllowedPage(this.#options.gate, request);
    const method = request.getCaseSensitiveMethod();
    if (method === 'OPTIONS') {
      const headers = { Allow: ALLOW.events, ...preflightHeaders(origin, isAllowed) };
      return this.#finish(response, request, { status: 204, headers, body: '' });
    }
    const headers = corsHeaders(origin, isAllowed);
    if (method !== 'POST') {
      const answer = requestError('method_not_allowed', { Allow: ALLOW.events });
      return this.#finish(response, request, answer, headers);
    }
    if (!isAllowed) {
      return this.#finish(response, request, requestError('forbidden_origin'), headers);
    }
    const verdict = admitRequest(this.#options.gate, request);
    if (typeof verdict === 'string') {
      return this.#finish(response, request, notAdmitted(verdict), headers);
    }
    const media = mediaOf(request.getHeader('content-type'));
    if (media === undefined) return this.#finish(response, request, UNSUPPORTED_TYPE, headers);
    const isPacked = isGzip(request.getHeader('content-encoding'));
    if (isPacked === undefined) {
      return this.#finish(response, request, UNSUPPORTED_ENCODING, headers);
    }
    if (Number(request.getHeader('content-length')) > LIMITS.bodyBytes) {
      return this.#finish(response, request, tooLarge(), headers);
    }
    if (this.#options.memory.over) return this.#finish(response, request, memoryShort(), headers);
    this.#open++;
    let sender = verdict instanceof Promise ? undefined : verdict;
    const admitted = (identity: Identity) => {
      sender = identity;
    };
    const isHeld = verdict instanceof Promise;
    const held = isHeld ? this.#hold(response, verdict, headers, admitted) : undefined;
    readBody(held ?? response, this.#paused, this.#watch, {
      whole: (body) => {
        const exchange = new Exchange(response, headers, () => {
          this.#open--;
          return this.#leaving;
        });
        const { buckets, name = '' } = sender ?? {};
        this.#whole.take({ bytes: body, media, isPacked, buckets, identity: name }, exchange);
        return exchange;
      },
      tooLarge: () => {
        const close = this.#leaving && 'announced';
        this.#refuseBody(response, tooLarge(), { headers, close });
      },
      late: () => {
        held?.forget();
        this.#refuseBody(response, requestError('request_timeout'), { headers, close: true });
      },
      gone: () => this.#open--,
    });
  }

  /** Has the body wait until it is known who sends it. */
  #hold(
    response: HttpResponse,
    verdict: Promise<Verdict>,
    headers: Readonly<Record<string, string>>,
    admitted: (sender: Identity) => void,
  ): HeldBody {
    const refused = (code: NotAdmitted) => {
      const answer = notAdmitted(code);
      countRefused(this.#options.counters, answer);
      send(response, answer, { headers });
    };
    const failed = (error: unknown) => abandon(response, this.#options.log, error);
    return new HeldBody(response, verdict, { admitted, refused, failed });
  }

  /** Answers a body that is not read to its end. */
  #refuseBody(response: HttpResponse, answer: Answer, manner: Manner): void {
    this.#open--;
    countRefused(this.#options.counters, answer);
    send(response, answer, manner);
  }

  /**
   * Answers at once. What may have a body is not read to its end: uWebSockets.js skips the rest.
   * It wants `onAborted` set first in every handler.
   */
  #finish(
    response: HttpResponse,
    request: HttpRequest,
    answer: Answer,
    headers?: Readonly<Record<string, string>>,
  ): void {
    response.onAborted(() => {});
    if (answer.status !== 426) countRefused(this.#options.counters, answer);
    send(response, answer, {
      headers,
      headOnly: request.getCaseSensitiveMethod() === 'HEAD',
      close: this.#leaving && (hasBody(request) ? 'announced' : true),
    });
  }
}

/** Nothing of the body is kept: uWebSockets.js skips it. */
function memoryShort(): Answer {
  return errorAnswer(503, 'buffer_full', 'memory is short', AGAIN_SOON);
}

function tooLarge(): Answer {
  return errorAnswer(413, 'too_large', `a body may have ${LIMITS.bodyBytes} bytes`);
}
