import assert from 'node:assert/strict';
import { REQUEST_CODES } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Logger } from '../../log.ts';
import type { Readiness } from '../../messages.ts';
import { type Counters, cells } from '../../metrics/counters.ts';
import { PAGE_HEADERS, pageFile } from '../../page/page.ts';
import type { Budget } from '../accumulator/budget.ts';
import type { Acknowledger } from '../acknowledger/acknowledger.ts';
import { type HttpAnswer, HttpReply } from '../acknowledger/http-reply.ts';
import type { Gate } from '../admission/gate.ts';
import type { NotAdmitted, Verdict } from '../admission/identity.ts';
import { decodeNdjson, decodeTextBody } from '../decoder/text.ts';
import type { Intake } from '../validator/intake.ts';
import { type Answer, errorAnswer, jsonBody, requestError, send } from './answers.ts';
import { PausedBodies, readBody } from './body.ts';
import { abandon, admitRequest, isAllowedPage, notAdmitted } from './entrance.ts';
import { type BodySource, HeldBody } from './held-body.ts';
import type { HttpRequest, HttpResponse } from './uws.ts';

const RECEIVED = cells('forebay_events_received_total', ['http']).http;
const RECEIVED_BYTES = cells('forebay_received_bytes_total', ['http']).http;
const NOT_UPGRADED = cells('forebay_handshakes_refused_total', ['bad_request']).bad_request;
const REFUSALS = [
  'unauthorized',
  'identity_unavailable',
  'forbidden_origin',
  'method_not_allowed',
  'unsupported_media_type',
  'too_large',
] as const;
const REFUSED = cells('forebay_requests_refused_total', REFUSALS);
const HEADERS = Object.fromEntries(PAGE_HEADERS);
/** An HTTP body is one frame. */
const FRAME = 0;

/** How a body is read, by its media type; '' = none given. */
const DECODERS: Readonly<Record<string, typeof decodeNdjson>> = {
  '': decodeTextBody,
  'application/json': decodeTextBody,
  'text/plain': decodeTextBody,
  'application/x-ndjson': decodeNdjson,
};
/** Names what is taken: curl -d, for one, sends a type that is not. */
const TAKEN = `${REQUEST_CODES.unsupported_media_type.text}: send \
${Object.keys(DECODERS).filter(Boolean).join(', ')} or no type, and no Content-Encoding`;

export interface HttpOptions {
  readonly maxEventBytes: number;
  readonly timeoutMs: number;
  readonly intake: Intake;
  readonly acknowledger: Acknowledger;
  readonly gate: Gate;
  readonly log: Logger;
  readonly budget: Budget;
  readonly counters: Counters;
  readonly readiness: () => Readiness;
}

/** Everything of the public port but `/ws`: events by POST, the page, health. */
export class HttpListener {
  readonly #options: HttpOptions;
  readonly #paused: PausedBodies;
  /** Bodies that are not whole or not answered. */
  #open = 0;
  #leaving = false;

  constructor(options: HttpOptions) {
    this.#options = options;
    this.#paused = new PausedBodies(options.budget);
  }

  /** A request is not answered yet whose client is still there. */
  get busy(): boolean {
    return this.#open > 0;
  }

  /** From now on answers close their connections: this worker ends. */
  leave(): void {
    this.#leaving = true;
  }

  /** Answers any request; `/ws` comes here when it is no handshake. */
  handle(response: HttpResponse, request: HttpRequest): void {
    const path = request.getUrl();
    const method = request.getMethod();
    if (path === '/events') {
      if (method === 'post') return this.#events(response, request);
      const answer = requestError('method_not_allowed', { Allow: 'POST' });
      const headOnly = method === 'head';
      return this.#refuse(response, 'method_not_allowed', { ...answer, headOnly });
    }
    const answer = this.#get(path);
    if (method !== 'get' && method !== 'head' && answer.status !== 404) {
      return finish(response, requestError('method_not_allowed', { Allow: 'GET, HEAD' }));
    }
    if (answer.status === 426) this.#options.counters.add(NOT_UPGRADED);
    // What has no body is read whole: nothing unread is there to reset the connection.
    finish(response, { ...answer, headOnly: method === 'head', close: this.#leaving });
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
        return { status: 200, headers: HEADERS, type: file.type, body: file.body };
      }
    }
  }

  #events(response: HttpResponse, request: HttpRequest): void {
    const { gate } = this.#options;
    if (!isAllowedPage(gate, request)) {
      return this.#refuse(response, 'forbidden_origin', requestError('forbidden_origin'));
    }
    const verdict = admitRequest(gate, request);
    if (typeof verdict === 'string') return this.#refuse(response, verdict, notAdmitted(verdict));
    const type = request.getHeader('content-type').split(';')[0]!.trim().toLowerCase();
    const decode = Object.hasOwn(DECODERS, type) ? DECODERS[type] : undefined;
    const encoding = request.getHeader('content-encoding').trim().toLowerCase();
    if (decode === undefined || (encoding !== '' && encoding !== 'identity')) {
      const answer = errorAnswer(415, 'unsupported_media_type', TAKEN);
      return this.#refuse(response, 'unsupported_media_type', answer);
    }
    if (Number(request.getHeader('content-length')) > LIMITS.bodyBytes) {
      return this.#refuse(response, 'too_large', tooLarge());
    }
    this.#open++;
    const source = verdict instanceof Promise ? this.#hold(response, verdict) : response;
    readBody(source, this.#paused, {
      whole: (body) => this.#take(body, decode, response),
      tooLarge: () => {
        this.#open--;
        this.#options.counters.add(REFUSED.too_large);
        send(response, tooLarge());
      },
      gone: () => this.#open--,
    });
  }

  /** Has the body wait until it is known who sends it. */
  #hold(response: HttpResponse, verdict: Promise<Verdict>): BodySource {
    const refused = (code: NotAdmitted) => {
      this.#open--;
      this.#options.counters.add(REFUSED[code]);
      send(response, notAdmitted(code));
    };
    const failed = (error: unknown) => abandon(response, this.#options.log, error);
    return new HeldBody(response, verdict, refused, failed);
  }

  /** Answers a request whose body is not read. */
  #refuse(response: HttpResponse, reason: (typeof REFUSALS)[number], answer: Answer): void {
    this.#options.counters.add(REFUSED[reason]);
    finish(response, answer);
  }

  #take(body: Buffer, decode: typeof decodeNdjson, response: HttpResponse): Exchange {
    const { intake, acknowledger, counters, maxEventBytes, timeoutMs } = this.#options;
    const exchange = new Exchange(response, () => {
      this.#open--;
      return this.#leaving;
    });
    const reply = new HttpReply((answer) => exchange.answer(answer));
    intake.begin(reply, FRAME);
    counters.add(RECEIVED_BYTES, body.length);
    counters.add(RECEIVED, decode(body, { maxEvents: LIMITS.bodyEvents, maxEventBytes }, intake));
    reply.endBody();
    if (!reply.answered) exchange.expireAfter(timeoutMs, () => acknowledger.expire(reply));
    return exchange;
  }
}

/** One response on its way: answered, or nobody there any more. */
class Exchange {
  readonly #response: HttpResponse;
  readonly #onOver: () => boolean;
  #over = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param onOver called once, at the end; returns whether to close the connection */
  constructor(response: HttpResponse, onOver: () => boolean) {
    this.#response = response;
    this.#onOver = onOver;
  }

  expireAfter(ms: number, expire: () => void): void {
    assert(!this.#over, 'only an open exchange can expire');
    this.#timer = setTimeout(expire, ms);
  }

  answer({ status, retryAfter, body }: HttpAnswer): void {
    clearTimeout(this.#timer);
    if (this.#over) return;
    this.#over = true;
    const close = this.#onOver();
    const headers: Record<string, string> =
      retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) };
    send(this.#response, { status, headers, body: jsonBody(body), close });
  }

  /** The client went away; its events go on. */
  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#onOver();
  }
}

/**
 * Leaves the connection open: uWebSockets.js skips the rest of the body. A close with bytes unread
 * would reset the connection, and the answer be lost on its way.
 */
function tooLarge(): Answer {
  return errorAnswer(413, 'too_large', `a body may have ${LIMITS.bodyBytes} bytes`);
}

/** Answers at once. uWebSockets.js wants `onAborted` set first in every handler. */
function finish(response: HttpResponse, answer: Answer): void {
  response.onAborted(() => {});
  send(response, answer);
}
