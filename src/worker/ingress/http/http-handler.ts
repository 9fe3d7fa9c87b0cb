import assert from 'node:assert/strict';
import { LIMITS } from '../../../config/limits.ts';
import type { Readiness } from '../../../ipc.ts';
import { cells } from '../../../metrics/counters.ts';
import type { Authenticator } from '../../admission/authenticator.ts';
import type { ConnectionAdmission } from '../../admission/connections.ts';
import { mergeBuckets } from '../../admission/token-bucket.ts';
import type { MemoryLimit } from '../../overload/memory-limit.ts';
import type { ActiveStreams } from '../../streams/active-streams.ts';
import {
  type Authorization,
  type Authorized,
  authorizeRequest,
  connectionLimitResponse,
  originTrust,
  resolveUnlessAborted,
  type Unauthorized,
  unauthorizedResponse,
} from '../authorize.ts';
import { FactReader, provenanceOf } from '../client-facts.ts';
import { resentBody } from '../declared-repeats.ts';
import { closeAfterError } from '../fault-containment.ts';
import { EVENTS_PATH, isUnder, WEB_SOCKET_PATH } from '../paths.ts';
import { shownParts } from '../query.ts';
import type { HttpRequest, HttpResponse } from '../transport/transport.ts';
import { BodyDecoder, type BodyDecoderOptions, NO_BYTES } from './body-decoder.ts';
import { PausedBodies, readBody } from './body-reader.ts';
import { BodyTimeouts } from './body-timeouts.ts';
import { encodingOf, mediaTypeOf } from './content-types.ts';
import { corsHeaders, preflightHeaders } from './cors.ts';
import { DeferredBody } from './deferred-body.ts';
import { continueRequest, expectationOf } from './expectation.ts';
import { hasBody, markClosing } from './framing.ts';
import { getResponse } from './get-response.ts';
import { PAGE_PATH, type PageSettings, pageResponse } from './page-response.ts';
import { PendingResponse } from './pending-response.ts';
import {
  countRejected,
  errorResponse,
  inputMemoryResponse,
  memoryLimitResponse,
  type ResponseContent,
  requestError,
  type SendOptions,
  send,
  sendInTurn,
  tooLargeResponse,
} from './responses.ts';

const NOT_UPGRADED = cells('forebay_handshakes_refused_total', ['bad_request']).bad_request;
const ALLOW = { events: 'POST, OPTIONS', others: 'GET, HEAD, OPTIONS' } as const;

export interface HttpHandlerOptions extends BodyDecoderOptions {
  readonly authenticator: Authenticator;
  readonly admission: ConnectionAdmission;
  readonly streams: ActiveStreams;
  readonly memory: Pick<MemoryLimit, 'exceeded'>;
  /** Minimum rate of a body after a grace period. */
  readonly minBodyBytesPerSecond: number;
  readonly readiness: () => Readiness;
  readonly page: PageSettings;
}

/** HTTP on the public port, except `/ws`: events by POST, the test page, health. */
export class HttpHandler {
  readonly #options: HttpHandlerOptions;
  readonly #paused: PausedBodies;
  readonly #timeouts: BodyTimeouts;
  readonly #decoder: BodyDecoder;
  readonly #facts: FactReader;
  /** Bodies that are incomplete or unanswered. */
  #unanswered = 0;
  #draining = false;

  constructor(options: HttpHandlerOptions) {
    this.#options = options;
    this.#paused = new PausedBodies(options.budget, options.turn);
    this.#timeouts = new BodyTimeouts(options.minBodyBytesPerSecond);
    this.#decoder = new BodyDecoder(options);
    this.#facts = new FactReader(options.admission);
  }

  /** A request of a connected client is unanswered. */
  get busy(): boolean {
    return this.#unanswered > 0;
  }

  /** A complete body is not fully decoded. */
  get decoding(): boolean {
    return this.#decoder.busy;
  }

  /** Closes connections with their next response: this worker ends. */
  drain(): void {
    this.#draining = true;
  }

  /** Answers the bodies that wait for an explanation. */
  close(): void {
    this.#timeouts.close();
    this.#options.explanations.close();
  }

  /** Rejects a request with ambiguous framing. */
  rejectFraming(response: HttpResponse, request: HttpRequest, fault: string): void {
    const content = errorResponse(400, 'bad_request', fault);
    this.#respond(response, request, content, this.#cors(request), true);
  }

  /** Handles any request; a `/ws` request arrives here if it is not a handshake. */
  handle(response: HttpResponse, request: HttpRequest): void {
    this.#options.turn.spend(LIMITS.requestHeadBytes);
    markClosing(response, request);
    const expectation = expectationOf(request);
    if (expectation === 'unknown') {
      const content = requestError('expectation_failed');
      // Some clients then send no body: their next request would be parsed as the body.
      const close = hasBody(request) && 'announced';
      return this.#respond(response, request, content, this.#cors(request), close);
    }
    if (expectation === 'continue') continueRequest(response, request);
    const path = request.getUrl();
    if (this.#takesEvents(path)) return this.#handleEvents(response, request);
    const method = request.getCaseSensitiveMethod();
    if (isUnder(PAGE_PATH, path) && (method === 'GET' || method === 'HEAD')) {
      return this.#handlePage(response, request, method === 'HEAD');
    }
    const isWebSocket = this.#options.streams.areDeclared && isUnder(WEB_SOCKET_PATH, path);
    const content = getResponse(isWebSocket ? WEB_SOCKET_PATH : path, this.#options.readiness);
    if (method === 'GET' || method === 'HEAD' || content.status === 404) {
      if (content.status === 426) this.#options.counters.add(NOT_UPGRADED);
      return this.#respond(response, request, content);
    }
    const headers = { Allow: ALLOW.others };
    if (method === 'OPTIONS') this.#respond(response, request, this.#optionsResponse(headers));
    else this.#respond(response, request, requestError('method_not_allowed', headers));
  }

  /** Has a body while memory is short: only responses with a body are bounded if never read. */
  #optionsResponse(headers: Readonly<Record<string, string>>): ResponseContent {
    return this.#options.memory.exceeded
      ? memoryLimitResponse()
      : { status: 204, headers, body: '' };
  }

  #handlePage(response: HttpResponse, request: HttpRequest, headOnly: boolean): void {
    const { authenticator, readiness, page, log } = this.#options;
    const hasMore = hasBody(request);
    const ends = this.#closesAfter(response);
    resolveUnlessAborted(
      response,
      pageResponse(authenticator, request, readiness(), page),
      (content) => {
        const close = (ends || this.#draining) && (hasMore ? 'announced' : true);
        send(response, content, { headOnly, close });
      },
      (error) => closeAfterError(response, log, error),
    );
  }

  /** Returns whether a response closes its connection: draining, or too many of its address. */
  #closesAfter(response: HttpResponse): boolean {
    const { admission } = this.#options;
    return this.#draining || !admission.keepAlive(admission.peerKeyOf(response));
  }

  /** Returns whether a path takes events: without a stream file, only `/events` itself. */
  #takesEvents(path: string): boolean {
    return (
      path === EVENTS_PATH || (this.#options.streams.areDeclared && isUnder(EVENTS_PATH, path))
    );
  }

  /** Headers for a response that depends on the request's head only. */
  #cors(request: HttpRequest): Readonly<Record<string, string>> | undefined {
    if (!this.#takesEvents(request.getUrl())) return undefined;
    return corsHeaders(
      request.getHeader('origin'),
      originTrust(this.#options.authenticator, request),
    );
  }

  #handleEvents(response: HttpResponse, request: HttpRequest): void {
    const origin = request.getHeader('origin');
    const trust = originTrust(this.#options.authenticator, request);
    const method = request.getCaseSensitiveMethod();
    if (method === 'OPTIONS') {
      const requested = request.getHeader('access-control-request-headers');
      const headers = { Allow: ALLOW.events, ...preflightHeaders(origin, trust, requested) };
      return this.#respond(response, request, this.#optionsResponse(headers));
    }
    const cors = corsHeaders(origin, trust);
    const names = this.#options.streams.table.headers;
    const facts = this.#facts.read(names, 'http', response, request);
    const requestId = facts?.['request-id'];
    const headers = requestId === undefined ? cors : { ...cors, 'X-Request-Id': requestId };
    if (method !== 'POST') {
      const content = requestError('method_not_allowed', { Allow: ALLOW.events });
      return this.#respond(response, request, content, headers);
    }
    if (trust === 'none') {
      return this.#respond(response, request, requestError('forbidden_origin'), headers);
    }
    const resent = resentBody(request);
    if (resent === undefined) {
      const message = 'Forebay-Resent must be one 0 or 1, and so must resent in the query';
      const content = errorResponse(400, 'bad_request', message);
      return this.#respond(response, request, content, headers);
    }
    const shows = shownParts(request);
    if (typeof shows === 'string') {
      const content = errorResponse(400, 'bad_request', shows);
      return this.#respond(response, request, content, headers);
    }
    const auth = authorizeRequest(this.#options.authenticator, this.#options.streams, request);
    if (typeof auth === 'string') {
      return this.#respond(response, request, unauthorizedResponse(auth), headers);
    }
    const media = mediaTypeOf(request.getHeader('content-type'));
    if ('status' in media) return this.#respond(response, request, media, headers);
    const encoding = encodingOf(request);
    if (typeof encoding !== 'string') return this.#respond(response, request, encoding, headers);
    const length = request.getHeader('content-length');
    if (Number(length) > LIMITS.bodyBytes) {
      return this.#respond(response, request, tooLargeResponse(), headers);
    }
    if (this.#options.memory.exceeded) {
      return this.#respond(response, request, memoryLimitResponse(), headers);
    }
    const { admission } = this.#options;
    const mayWait =
      encoding !== 'identity' || length === '' || Number(length) > LIMITS.oneShotBytes;
    const addressKey = mayWait
      ? admission.addressKeyOf(response, request)
      : admission.limitKeyOf(response, request);
    if (!admission.enterRequest(addressKey)) {
      const content = connectionLimitResponse('address', admission.maxPerAddress);
      return this.#respond(response, request, content, headers);
    }
    this.#unanswered++;
    const leave = () => {
      this.#unanswered--;
      admission.leaveRequest(addressKey);
    };
    let authorized = auth instanceof Promise ? undefined : auth;
    const onAuthorized = (sender: Authorized) => {
      authorized = sender;
    };
    const isDeferred = auth instanceof Promise;
    const end = (content: ResponseContent) => {
      deferred?.discard();
      leave();
      this.#rejectBody(response, content, { headers, close: true });
    };
    const deferred = isDeferred
      ? this.#deferBody(response, auth, headers, onAuthorized)
      : undefined;
    const pendingResponse = () =>
      new PendingResponse(response, headers, (answered) => {
        leave();
        return answered && this.#closesAfter(response);
      });
    const received = (bytes: Buffer) => {
      assert(authorized !== undefined, 'no body is read before its sender is authorized');
      const { route, identity } = authorized;
      const buckets = mergeBuckets(admission.bucketsOf(addressKey), identity.buckets);
      const sender = identity.name === '' ? addressKey : `key ${identity.name}`;
      const provenance = provenanceOf({ facts, resent }, identity);
      return { bytes, media, encoding, route, provenance, buckets, identity, sender, shows };
    };
    readBody(deferred ?? response, this.#paused, this.#timeouts, this.#options.inputMemory, {
      isPressed: () => (authorized?.route.buffer ?? this.#options.budget).underPressure,
      complete: (body) => {
        const pending = pendingResponse();
        this.#decoder.decode(received(body), pending);
        return pending;
      },
      skipped: (bytes) => {
        const pending = pendingResponse();
        this.#decoder.reject(received(NO_BYTES), bytes, pending);
        return pending;
      },
      tooLarge: () => {
        leave();
        const close = this.#closesAfter(response) && 'announced';
        this.#rejectBody(response, tooLargeResponse(), { headers, close });
      },
      timedOut: () => end(requestError('request_timeout')),
      evicted: () => end(inputMemoryResponse()),
      flooded: () => this.#terminate(response),
      aborted: leave,
    });
  }

  /** Defers the body until its sender is authorized. */
  #deferBody(
    response: HttpResponse,
    auth: Promise<Authorization>,
    headers: Readonly<Record<string, string>>,
    authorized: (sender: Authorized) => void,
  ): DeferredBody {
    const rejected = (code: Unauthorized) => {
      const close = this.#closesAfter(response) && 'announced';
      this.#rejectBody(response, unauthorizedResponse(code), { headers, close });
    };
    const evicted = () =>
      this.#rejectBody(response, inputMemoryResponse(), { headers, close: true });
    const failed = (error: unknown) => closeAfterError(response, this.#options.log, error);
    const flooded = () => this.#terminate(response);
    const handler = { authorized, rejected, evicted, flooded, failed };
    const chunks = this.#paused.createFloodDetector();
    return new DeferredBody(response, auth, this.#options.inputMemory, chunks, handler);
  }

  /** Closes a connection whose body takes too much time, which a response would not stop. */
  #terminate(response: HttpResponse): void {
    countRejected(this.#options.counters, inputMemoryResponse());
    response.close();
  }

  /** Rejects a body before its end. */
  #rejectBody(response: HttpResponse, content: ResponseContent, options: SendOptions): void {
    countRejected(this.#options.counters, content);
    send(response, content, options);
  }

  /**
   * Responds at once. The rest of a body is not read: uWebSockets.js skips it. It requires
   * `onAborted` in every handler.
   */
  #respond(
    response: HttpResponse,
    request: HttpRequest,
    content: ResponseContent,
    headers?: Readonly<Record<string, string>>,
    close: SendOptions['close'] = this.#closesAfter(response) &&
      (hasBody(request) ? 'announced' : true),
  ): void {
    response.onAborted(() => {});
    if (content.status !== 426) countRejected(this.#options.counters, content);
    const headOnly = request.getCaseSensitiveMethod() === 'HEAD';
    // Without a body, unread responses would accumulate in the send buffer.
    const ends = close || (headOnly && this.#options.memory.exceeded);
    sendInTurn(this.#options.turn, response, content, { headers, headOnly, close: ends });
  }
}
