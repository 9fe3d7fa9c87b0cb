/** Responses of the admin port. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { REQUEST_CODES } from '../common/errors.ts';
import type { Refusal } from './commands.ts';

/** Retry delay for a viewer above the limit. */
const RETRY_AFTER_SECONDS = 5;

export function isRead({ method }: IncomingMessage): boolean {
  return method === 'GET' || method === 'HEAD';
}

export function refuseMethod(
  request: IncomingMessage,
  response: ServerResponse,
  allowed: string,
): void {
  response.setHeader('Allow', allowed);
  refuse(request, response, 'method_not_allowed');
}

/** Rejections of the catalog on this port. */
export type Refused =
  | 'bad_request'
  | 'not_found'
  | 'method_not_allowed'
  | 'unauthorized'
  | 'forbidden_origin'
  | 'too_many_connections'
  | 'request_timeout'
  | 'expectation_failed';

export function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  code: Refused,
  message: string = REQUEST_CODES[code].text,
): void {
  replyJson(request, response, REQUEST_CODES[code].http, { error: { code, message } });
}

/** Rejects a request that lacks its token or comes from another origin. */
export function refuseAs(
  request: IncomingMessage,
  response: ServerResponse,
  { code, message }: Refusal,
): void {
  if (code === 'unauthorized') response.setHeader('WWW-Authenticate', 'Bearer');
  refuse(request, response, code, message);
}

/** Rejects a viewer above the limit. */
export function refuseLater(
  request: IncomingMessage,
  response: ServerResponse,
  message?: string,
): void {
  response.setHeader('Retry-After', String(RETRY_AFTER_SECONDS));
  refuse(request, response, 'too_many_connections', message);
}

/** Ends the body with a newline, so that a shell prompt after curl starts on its own line. */
export function replyJson(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  value: object,
): void {
  reply(request, response, status, 'application/json', `${JSON.stringify(value)}\n`);
}

export function reply(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  contentType: string,
  content: string | Buffer,
): void {
  const body = Buffer.from(content);
  if (!response.hasHeader('Cache-Control')) response.setHeader('Cache-Control', 'no-store');
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': body.length,
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}
