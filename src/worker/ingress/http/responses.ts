import {
  boundedMessage,
  type EventCode,
  REQUEST_CODES,
  type RequestCode,
  requestCodes,
} from '../../../common/errors.ts';
import { LIMITS } from '../../../config/limits.ts';
import { type Counters, cells } from '../../../metrics/counters.ts';
import type { TurnBudget } from '../../overload/turn-budget.ts';
import type { HttpResponse } from '../uws.ts';
import { writeStatus } from './expectation.ts';
import { asksToClose, endsConnection } from './framing.ts';

const STATUS_TEXT: Readonly<Record<number, string>> = {
  200: 'OK',
  204: 'No Content',
  207: 'Multi-Status',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  417: 'Expectation Failed',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  503: 'Service Unavailable',
};

export interface ResponseContent {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly type?: string;
  /** With 204 there is none. */
  readonly body: string | Buffer;
  /** Why a request is refused that has no events. */
  readonly code?: RequestCode | EventCode;
}

/** How an answer goes out: beside it, since to spread the two into one costs memory. */
export interface SendOptions {
  /** Beside those of the answer. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /**
   * The connection ends with this answer. `announced`: it is the client that ends it, since a close
   * with bytes unread would reset it, and the answer be lost on its way.
   */
  readonly close?: boolean | 'announced';
  /** HEAD: the length of the body without the body. */
  readonly headOnly?: boolean;
}

/** A JSON body. It ends its line, so that a prompt behind curl's output stands on its own. */
export function jsonBody(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

const DEFAULT_OPTIONS: SendOptions = {};
const NO_SNIFFING = ['X-Content-Type-Options', 'nosniff'] as const;
const KEEP_ALIVE = `timeout=${LIMITS.keepAliveSeconds}`;

/** For who may find room elsewhere at once, or here soon. */
export const RETRY_SOON = { 'Retry-After': '1' } as const;

/**
 * Answers; the response must not have been aborted. An answer that ends its connection waits until
 * uWebSockets.js has read on: meanwhile it would forget the end, and serve a request that came in
 * the same packet. If one did, it closes the connection without this answer.
 */
export function send(
  response: HttpResponse,
  content: ResponseContent,
  options: SendOptions = DEFAULT_OPTIONS,
): void {
  const close = options.close ?? false;
  if (close !== true && !endsConnection(response)) return write(response, content, options, close);
  let aborted = false;
  response.onAborted(() => {
    aborted = true;
  });
  setImmediate(() => {
    if (!aborted) write(response, content, options, true);
  });
}

/**
 * Answers, or after this turn of the loop if that has no time left. Requests that came in the same
 * packet are served at once, as many as they are: before an answer uWebSockets.js takes no other
 * request, and closes the connection.
 */
export function sendInTurn(
  turn: Pick<TurnBudget, 'spent' | 'afterTurn'>,
  response: HttpResponse,
  content: ResponseContent,
  options: SendOptions,
): void {
  if (!turn.spent) return send(response, content, options);
  let aborted = false;
  response.onAborted(() => {
    aborted = true;
  });
  turn.afterTurn(() => {
    if (!aborted) send(response, content, options);
  });
}

function write(
  response: HttpResponse,
  content: ResponseContent,
  options: SendOptions,
  close: boolean | 'announced',
): void {
  const { status, body } = content;
  const isEmpty = status === 204;
  const isBare = isEmpty || options.headOnly === true;
  response.cork(() => {
    writeStatus(response, `${status} ${STATUS_TEXT[status] ?? 'Unknown'}`, NO_SNIFFING);
    if (!isEmpty) response.writeHeader('Content-Type', content.type ?? 'application/json');
    writeHeaders(response, content.headers);
    writeHeaders(response, options.headers);
    writePersistence(response, content, close);
    if (!isBare) {
      response.end(body, close === true);
    } else if (close === true && !isEmpty) {
      response.endWithoutBody(Buffer.byteLength(body), true);
    } else {
      // Told the length, uWebSockets.js takes the response for unfinished and ends the connection
      // at the next request.
      if (!isEmpty) response.writeHeader('Content-Length', String(Buffer.byteLength(body)));
      response.endWithoutBody();
    }
  });
}

/** Says whether the connection goes on, and for how long; uWebSockets.js does where it ends it. */
function writePersistence(
  response: HttpResponse,
  { status, headers }: ResponseContent,
  close: boolean | 'announced',
): void {
  if (close === true && status !== 204) return;
  if (close !== false || asksToClose(response)) response.writeHeader('Connection', 'close');
  else {
    // An upgrade that is required has a Connection of its own.
    if (headers?.Connection === undefined) response.writeHeader('Connection', 'keep-alive');
    response.writeHeader('Keep-Alive', KEEP_ALIVE);
  }
}

function writeHeaders(
  response: HttpResponse,
  headers: Readonly<Record<string, string>> | undefined,
): void {
  for (const name in headers) response.writeHeader(name, headers[name]!);
}

const REFUSED = cells('forebay_requests_refused_total', [
  ...requestCodes,
  'too_large',
  'buffer_full',
]);

/** Counts an answer that refuses a request. */
export function countRejected(counters: Counters, { code }: ResponseContent): void {
  if (code !== undefined) counters.add(REFUSED[code as keyof typeof REFUSED]);
}

/** An answer that names a code of the catalogue. */
export function errorResponse(
  status: number,
  code: RequestCode | EventCode,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): ResponseContent {
  const body = jsonBody({ error: { code, message: boundedMessage(message) } });
  return { status, headers, body, code };
}

/** An answer with the catalogue's own status and text. */
export function requestError(
  code: RequestCode,
  headers: Readonly<Record<string, string>> = {},
): ResponseContent {
  const entry = REQUEST_CODES[code];
  return errorResponse('http' in entry ? entry.http : 400, code, entry.text, headers);
}
