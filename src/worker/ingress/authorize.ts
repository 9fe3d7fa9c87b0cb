/** Authentication of requests and handshakes, and the responses that reject them. */
import { LIMITS } from '../../config/limits.ts';
import type { Authenticator } from '../admission/authenticator.ts';
import type { ConnectionLimit } from '../admission/connections.ts';
import { ANONYMOUS, type AuthFailure, type AuthResult } from '../admission/identity.ts';
import type { Trust } from '../admission/origins.ts';
import { errorResponse, RETRY_SOON, type ResponseContent, requestError } from './http/responses.ts';
import type { HttpRequest, HttpResponse } from './transport/transport.ts';

/** Subprotocol prefix of a token: browsers can set no other header of a handshake. */
const TOKEN_PROTOCOL = 'forebay.key.';

/** Same text for every failure, so that it gives no hint about valid credentials. */
const CREDENTIALS_HELP =
  'valid credentials are required, as `Authorization: Bearer`, or for a WebSocket as the subprotocol ' +
  `${TOKEN_PROTOCOL}<token>; not in the address`;

/** Returns the trust in the page that sends the request, by its `Origin`. */
export function originTrust(authenticator: Authenticator, request: HttpRequest): Trust {
  return authenticator.origins.trustOf(request.getHeader('origin'), request.getHeader('host'));
}

/** Authenticates a request by its `Authorization` header. */
export function authenticateRequest(
  authenticator: Authenticator,
  request: HttpRequest,
): AuthResult | Promise<AuthResult> {
  return authenticator.required ? authenticator.authenticate(bearerToken(request)) : ANONYMOUS;
}

/** Authenticates a handshake by its `Authorization` header, else by one of its `subprotocols`. */
export function authenticateHandshake(
  authenticator: Authenticator,
  request: HttpRequest,
  subprotocols: readonly string[],
): AuthResult | Promise<AuthResult> {
  if (!authenticator.required) return ANONYMOUS;
  if (request.getHeader('authorization') !== '') {
    return authenticator.authenticate(bearerToken(request));
  }
  const found = subprotocols.find((name) => name.startsWith(TOKEN_PROTOCOL)) ?? '';
  return authenticator.authenticate(found.slice(TOKEN_PROTOCOL.length));
}

/** Returns the token of `Authorization: Bearer`; '' if missing or malformed. */
function bearerToken(request: HttpRequest): string {
  return /^Bearer +([\w.~+/-]+=*)$/i.exec(request.getHeader('authorization'))?.[1] ?? '';
}

/** Returns the response to a client that failed to authenticate. */
export function authFailureResponse(code: AuthFailure): ResponseContent {
  if (code === 'unauthorized') {
    return errorResponse(401, code, CREDENTIALS_HELP, { 'WWW-Authenticate': 'Bearer' });
  }
  const retryAfter = Math.ceil(LIMITS.jwks.retryMs / 1000);
  return requestError(code, { 'Retry-After': String(retryAfter) });
}

/**
 * Returns the response to a handshake or request above a connection limit. 503: another worker or
 * instance may have capacity; 429: the client itself has too many connections.
 */
export function connectionLimitResponse(
  limit: ConnectionLimit,
  maxPerAddress: number,
): ResponseContent {
  if (limit === 'worker') return requestError('too_many_connections', RETRY_SOON);
  const message = `an address may have up to ${maxPerAddress} connections, including unanswered requests`;
  return errorResponse(429, 'too_many_connections', message, RETRY_SOON);
}

/**
 * Calls `use` with the resolved value, unless the client has disconnected.
 * @param failed called with an error thrown by `use`, which has no other handler
 */
export function resolveUnlessAborted<T>(
  response: HttpResponse,
  promise: Promise<T>,
  use: (value: T) => void,
  failed: (error: unknown) => void,
): void {
  let aborted = false;
  response.onAborted(() => {
    aborted = true;
  });
  promise.then((value) => (aborted ? undefined : use(value))).catch(failed);
}
