import {
  boundedMessage,
  type EventCode,
  REQUEST_CODES,
  type RequestCode,
  requestCodes,
  streamCodes,
} from '../../../common/errors.ts';
import { LIMITS } from '../../../config/limits.ts';
import { type Counters, cells } from '../../../metrics/counters.ts';
import type { TurnBudget } from '../../overload/turn-budget.ts';
import type { HttpResponse } from '../transport/transport.ts';
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
  /** Not sent with status 204. */
  readonly body: string | Buffer;
  /** Reason for rejecting a whole request. */
  readonly code?: RequestCode | EventCode;
}

/**
 * Options of one response, separate from its content, since spreading the two into one costs
 * memory.
 */
export interface SendOptions {
  /** Additional headers. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /**
   * Closes the connection after this response. `announced`: the client closes it, since a close
   * with unread bytes resets the connection and may lose the response.
   */
  readonly close?: boolean | 'announced';
  /** HEAD: Content-Length of the body without the body. */
  readonly headOnly?: boolean;
}

/**
 * Returns a JSON body. It ends with a newline, so that a shell prompt after curl's output starts on
 * a new line.
 */
export function jsonBody(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

const DEFAULT_OPTIONS: SendOptions = {};
const NO_SNIFFING = ['X-Content-Type-Options', 'nosniff'] as const;
const KEEP_ALIVE = `timeout=${LIMITS.keepAliveSeconds}`;

/** For clients that may succeed elsewhere at once, or here soon. */
export const RETRY_SOON = { 'Retry-After': '1' } as const;

/**
 * Sends a response, which must not have been aborted. A response that closes its connection is
 * delayed until uWebSockets.js has parsed the packet: otherwise it forgets the close and serves a
 * request from the same packet. If there is one, it closes the connection without this response.
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
 * Sends a response, after this turn of the event loop if that has no time left. Pipelined requests
 * of one packet are all served in the same turn: while a response is pending, uWebSockets.js closes
 * the connection on another request.
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
      if (close === true) response.end(body, true);
      else endAsRead(response, body);
    } else if (close === true && !isEmpty) {
      response.endWithoutBody(Buffer.byteLength(body), true);
    } else {
      // With a reported length, uWebSockets.js considers the response unfinished and closes the
      // connection at the next request.
      if (!isEmpty) response.writeHeader('Content-Length', String(Buffer.byteLength(body)));
      response.endWithoutBody();
    }
  });
}

/**
 * Ends a response with a body. While the client does not read, the body is not copied to the send
 * buffer: the response stays open, and the next pipelined request closes the connection.
 */
function endAsRead(response: HttpResponse, body: string | Buffer): void {
  const [, isComplete] = response.tryEnd(body, Buffer.byteLength(body));
  if (isComplete) return;
  const bytes = Buffer.from(body);
  // uWebSockets.js requires the handler; the request itself has been answered.
  response.onAborted(() => {});
  response.onWritable((offset) => response.tryEnd(bytes.subarray(offset), bytes.length)[0]);
}

/** Writes `Connection` and `Keep-Alive`; uWebSockets.js does so for a connection that it closes. */
function writePersistence(
  response: HttpResponse,
  { status, headers }: ResponseContent,
  close: boolean | 'announced',
): void {
  if (close === true && status !== 204) return;
  if (close !== false || asksToClose(response)) response.writeHeader('Connection', 'close');
  else {
    // A 426 response has its own `Connection` header.
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
  ...streamCodes,
  'too_large',
  'buffer_full',
  'draining',
]);

/** Counts a response that rejects a request. */
export function countRejected(counters: Counters, { code }: ResponseContent): void {
  if (code !== undefined) counters.add(REFUSED[code as keyof typeof REFUSED]);
}

/** Returns a response with a code of the catalogue. */
export function errorResponse(
  status: number,
  code: RequestCode | EventCode,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): ResponseContent {
  const body = jsonBody({ error: { code, message: boundedMessage(message) } });
  return { status, headers, body, code };
}

/** Returns a response with the catalogue's status and text. */
export function requestError(
  code: RequestCode,
  headers: Readonly<Record<string, string>> = {},
): ResponseContent {
  const entry = REQUEST_CODES[code];
  return errorResponse('http' in entry ? entry.http : 400, code, entry.text, headers);
}

/** Returns the response above the memory limit. The body is not kept: it is skipped. */
export function memoryLimitResponse(): ResponseContent {
  return errorResponse(503, 'buffer_full', 'memory limit reached', RETRY_SOON);
}

/** Returns the response to an evicted body. None of its events were stored. */
export function inputMemoryResponse(): ResponseContent {
  const message =
    'memory for incomplete input was exhausted, and this body held a large share of it';
  return errorResponse(408, 'request_timeout', message, RETRY_SOON);
}

/** Returns the response to a body that is too long. */
export function tooLargeResponse(): ResponseContent {
  return errorResponse(413, 'too_large', `a body may have up to ${LIMITS.bodyBytes} bytes`);
}
