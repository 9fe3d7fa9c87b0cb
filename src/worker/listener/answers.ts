import { boundedMessage, type EventCode, REQUEST_CODES, type RequestCode } from '../../errors.ts';
import type { HttpResponse } from './uws.ts';

const STATUS_TEXT: Readonly<Record<number, string>> = {
  200: 'OK',
  204: 'No Content',
  207: 'Multi-Status',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  503: 'Service Unavailable',
};

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly type?: string;
  readonly body: string | Buffer;
  /** Close the connection; not with `headOnly`. */
  readonly close?: boolean;
  /** HEAD: the length of the body without the body. */
  readonly headOnly?: boolean;
}

/** A JSON body. It ends its line, so that a prompt behind curl's output stands on its own. */
export function jsonBody(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

/** Writes a whole answer; the response must not have been aborted. */
export function send(response: HttpResponse, answer: Answer): void {
  const { status, headers = {}, type = 'application/json', body, close = false } = answer;
  response.cork(() => {
    response.writeStatus(`${status} ${STATUS_TEXT[status] ?? 'Unknown'}`);
    response.writeHeader('Content-Type', type);
    response.writeHeader('X-Content-Type-Options', 'nosniff');
    for (const [name, value] of Object.entries(headers)) response.writeHeader(name, value);
    if (answer.headOnly) {
      // Told the length, uWebSockets.js takes the response for unfinished and ends the connection
      // at the next request.
      response.writeHeader('Content-Length', String(Buffer.byteLength(body)));
      response.endWithoutBody();
    } else response.end(body, close);
  });
}

/** An answer that names a code of the catalogue. */
export function errorAnswer(
  status: number,
  code: RequestCode | EventCode,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const body = jsonBody({ error: { code, message: boundedMessage(message) } });
  return { status, headers, body };
}

/** An answer with the catalogue's own status and text. */
export function requestError(
  code: RequestCode,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const entry = REQUEST_CODES[code];
  return errorAnswer('http' in entry ? entry.http : 400, code, entry.text, headers);
}
