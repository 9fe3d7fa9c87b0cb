import { LIMITS } from '../../../config/limits.ts';
import type { Readiness } from '../../../ipc.ts';
import { cells } from '../../../metrics/counters.ts';
import { pageFile } from '../../../page/page.ts';
import type { Gate } from '../../admission/authenticator.ts';
import type { ConnectionAdmission } from '../../admission/connections.ts';
import type { Identity, NotAdmitted, Verdict } from '../../admission/identity.ts';
import { joined } from '../../admission/token-bucket.ts';
import type { MemoryMark } from '../../overload/memory-limit.ts';
import { admitRequest, decideLater, noRoom, notAdmitted, trustOfPage } from '../authorize.ts';
import { abandon } from '../fault-containment.ts';
import type { HttpRequest, HttpResponse } from '../uws.ts';
import { type BodyOptions, WholeBodies } from './body-decoder.ts';
import { PausedBodies, readBody } from './body-reader.ts';
import { BodyWatch } from './body-timeouts.ts';
import { encodingOf, mediaOf } from './content-types.ts';
import { corsHeaders, preflightHeaders } from './cors.ts';
import { HeldBody } from './deferred-body.ts';
import { continueRequest, expectationOf } from './expectation.ts';
import { hasBody, markClosing } from './framing.ts';
import { type PageSettings, pageAnswer } from './page-response.ts';
import { Exchange } from './pending-response.ts';
import {
  AGAIN_SOON,
  type Answer,
  countRefused,
  errorAnswer,
  jsonBody,
  type Manner,
  requestError,
  send,
  sendInTurn,
} from './responses.ts';

const NOT_UPGRADED = cells('forebay_handshakes_refused_total', ['bad_request']).bad_request;
const ALLOW = { events: 'POST, OPTIONS', others: 'GET, HEAD, OPTIONS' } as const;

export interface HttpOptions extends BodyOptions {
  readonly gate: Gate;
  readonly admission: ConnectionAdmission;
  readonly memory: Pick<MemoryMark, 'over'>;
  /** The rate that a body must keep up with, after a grace. */
  readonly minBodyBytesPerSecond: number;
  readonly readiness: () => Readiness;
  readonly page: PageSettings;
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
    this.#paused = new PausedBodies(options.budget, options.turn);
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

  /** Answers a request whose end is not certain. */
  refuseFraming(response: HttpResponse, request: HttpRequest, fault: string): void {
    const answer = errorAnswer(400, 'bad_request', fault);
    this.#finish(response, request, answer, this.#cors(request), true);
  }

  /** Answers any request; `/ws` comes here when it is no handshake. */
  handle(response: HttpResponse, request: HttpRequest): void {
    this.#options.turn.take(LIMITS.requestHeadBytes);
    markClosing(response, request);
    const expectation = expectationOf(request);
    if (expectation === 'unknown') {
      const answer = requestError('expectation_failed');
      // Without an interim response some clients send no body: the next request would be taken
      // for it.
      const close = hasBody(request) && 'announced';
      return this.#finish(response, request, answer, this.#cors(request), close);
    }
    if (expectation === 'continue') continueRequest(response, request);
    const path = request.getUrl();
    if (path === '/events') return this.#events(response, request);
    const method = request.getCaseSensitiveMethod();
    if (path === '/page.json' && (method === 'GET' || method === 'HEAD')) {
      return this.#page(response, request, method === 'HEAD');
    }
    const answer = this.#get(path);
    if (method === 'GET' || method === 'HEAD' || answer.status === 404) {
      if (answer.status === 426) this.#options.counters.add(NOT_UPGRADED);
      return this.#finish(response, request, answer);
    }
    const headers = { Allow: ALLOW.others };
    if (method === 'OPTIONS') this.#finish(response, request, { status: 204, headers, body: '' });
    else this.#finish(response, request, requestError('method_not_allowed', headers));
  }

  #page(response: HttpResponse, request: HttpRequest, headOnly: boolean): void {
    const { gate, readiness, page, log } = this.#options;
    const hasMore = hasBody(request);
    const ends = this.#ends(response);
    decideLater(
      response,
      pageAnswer(gate, request, readiness(), page),
      (answer) => {
        const close = (ends || this.#leaving) && (hasMore ? 'announced' : true);
        send(response, answer, { headOnly, close });
      },
      (error) => abandon(response, log, error),
    );
  }

  #get(path: string): Answer {
    switch (path) {
      // Other methods than GET and HEAD come here: it exists, and does not take them.
      case '/page.json':
        return { status: 200, body: '' };
      case '/livez':
        return { status: 200, body: jsonBody({ alive: true }) };
      case '/readyz': {
        const readiness = this.#options.readiness();
        return { status: readiness.ready ? 200 : 503, body: jsonBody(readiness) };
      }
      case '/ws': {
        const headers = { Upgrade: 'websocket', Connection: 'Upgrade' };
        return errorAnswer(426, 'bad_request', 'this path requires a WebSocket upgrade', headers);
      }
      default: {
        const file = pageFile(path);
        if (file === undefined) return requestError('not_found');
        return { status: 200, ...file };
      }
    }
  }

  /** Returns whether an answer ends its connection: the worker does, or its address has many. */
  #ends(response: HttpResponse): boolean {
    const { admission } = this.#options;
    return this.#leaving || !admission.stay(admission.peerOf(response));
  }

  /** Headers for an answer that is given before anything is known of the request but its head. */
  #cors(request: HttpRequest): Readonly<Record<string, string>> | undefined {
    if (request.getUrl() !== '/events') return undefined;
    return corsHeaders(request.getHeader('origin'), trustOfPage(this.#options.gate, request));
  }

  #events(response: HttpResponse, request: HttpRequest): void {
    const origin = request.getHeader('origin');
    const trust = trustOfPage(this.#options.gate, request);
    const method = request.getCaseSensitiveMethod();
    if (method === 'OPTIONS') {
      const asked = request.getHeader('access-control-request-headers');
      const headers = { Allow: ALLOW.events, ...preflightHeaders(origin, trust, asked) };
      return this.#finish(response, request, { status: 204, headers, body: '' });
    }
    const headers = corsHeaders(origin, trust);
    if (method !== 'POST') {
      const answer = requestError('method_not_allowed', { Allow: ALLOW.events });
      return this.#finish(response, request, answer, headers);
    }
    if (trust === 'none') {
      return this.#finish(response, request, requestError('forbidden_origin'), headers);
    }
    const verdict = admitRequest(this.#options.gate, request);
    if (typeof verdict === 'string') {
      return this.#finish(response, request, notAdmitted(verdict), headers);
    }
    const media = mediaOf(request.getHeader('content-type'));
    if ('status' in media) return this.#finish(response, request, media, headers);
    const encoding = encodingOf(request);
    if (typeof encoding !== 'string') return this.#finish(response, request, encoding, headers);
    const length = request.getHeader('content-length');
    if (Number(length) > LIMITS.bodyBytes) {
      return this.#finish(response, request, tooLarge(), headers);
    }
    if (this.#options.memory.over) return this.#finish(response, request, memoryShort(), headers);
    const { admission } = this.#options;
    const mayWait = encoding !== 'identity' || length === '' || Number(length) > LIMITS.atOnceBytes;
    const place = mayWait
      ? admission.addressOf(response, request)
      : admission.placeOf(response, request);
    if (!admission.enterRequest(place)) {
      const answer = noRoom('address', admission.maxPerAddress);
      return this.#finish(response, request, answer, headers);
    }
    this.#open++;
    const leave = () => {
      this.#open--;
      admission.leaveRequest(place);
    };
    let sender = verdict instanceof Promise ? undefined : verdict;
    const admitted = (identity: Identity) => {
      sender = identity;
    };
    const isHeld = verdict instanceof Promise;
    const end = (answer: Answer) => {
      held?.forget();
      leave();
      this.#refuseBody(response, answer, { headers, close: true });
    };
    const held = isHeld ? this.#hold(response, verdict, headers, admitted) : undefined;
    readBody(held ?? response, this.#paused, this.#watch, this.#options.inputMemory, {
      whole: (body) => {
        const exchange = new Exchange(response, headers, (answered) => {
          leave();
          return answered && this.#ends(response);
        });
        const { buckets: ofKey, name = '' } = sender ?? {};
        const buckets = joined(admission.bucketsOf(place), ofKey);
        const from = name === '' ? place : `key ${name}`;
        const whole = { bytes: body, media, encoding, buckets, identity: name, sender: from };
        this.#whole.take(whole, exchange);
        return exchange;
      },
      tooLarge: () => {
        leave();
        const close = this.#ends(response) && 'announced';
        this.#refuseBody(response, tooLarge(), { headers, close });
      },
      late: () => end(requestError('request_timeout')),
      evicted: () => end(inputTooLong()),
      flooded: () => this.#cut(response),
      gone: leave,
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
      send(response, answer, { headers, close: this.#ends(response) && 'announced' });
    };
    const evicted = () => {
      const answer = inputTooLong();
      countRefused(this.#options.counters, answer);
      send(response, answer, { headers, close: true });
    };
    const failed = (error: unknown) => abandon(response, this.#options.log, error);
    const flooded = () => this.#cut(response);
    const outcome = { admitted, refused, evicted, flooded, failed };
    const chunks = this.#paused.chunkWatch();
    return new HeldBody(response, verdict, this.#options.inputMemory, chunks, outcome);
  }

  /** Closes a connection whose body takes too much time: an answer would not end that. */
  #cut(response: HttpResponse): void {
    countRefused(this.#options.counters, inputTooLong());
    response.close();
  }

  /** Answers a body that is not read to its end. */
  #refuseBody(response: HttpResponse, answer: Answer, manner: Manner): void {
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
    close: Manner['close'] = this.#ends(response) && (hasBody(request) ? 'announced' : true),
  ): void {
    response.onAborted(() => {});
    if (answer.status !== 426) countRefused(this.#options.counters, answer);
    const headOnly = request.getCaseSensitiveMethod() === 'HEAD';
    sendInTurn(this.#options.turn, response, answer, { headers, headOnly, close });
  }
}

/** Nothing of the body is kept: uWebSockets.js skips it. */
function memoryShort(): Answer {
  return errorAnswer(503, 'buffer_full', 'memory limit reached', AGAIN_SOON);
}

/** Rejects a body whose memory was taken back. Nothing of it was stored. */
function inputTooLong(): Answer {
  const message =
    'memory for input that is not complete was short, and this body held much of it for long';
  return errorAnswer(408, 'request_timeout', message, AGAIN_SOON);
}

function tooLarge(): Answer {
  return errorAnswer(413, 'too_large', `a body may have ${LIMITS.bodyBytes} bytes`);
}
