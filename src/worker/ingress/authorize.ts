/** What requests bring to get in, and what they are answered. */
import { LIMITS } from '../../config/limits.ts';
import type { Authenticator } from '../admission/authenticator.ts';
import type { ConnectionLimit } from '../admission/connections.ts';
import { ANONYMOUS, type AuthFailure, type AuthResult } from '../admission/identity.ts';
import type { Trust } from '../admission/origins.ts';
import { errorResponse, RETRY_SOON, type ResponseContent, requestError } from './http/responses.ts';
import type { HttpRequest, HttpResponse } from './uws.ts';

/** The subprotocol that carries a token: browsers can set no header of a handshake but that one. */
const TOKEN_PROTOCOL = 'forebay.key.';

/** Says how it is done, and the same whatever was wrong: nobody learns what would be right. */
const CREDENTIALS_HELP =
  'valid credentials are required, as `Authorization: Bearer`, or for a WebSocket as the subprotocol ' +
  `${TOKEN_PROTOCOL}<token>; not in the address`;

/** Whether the page that a request comes from may send, if it comes from one. */
export function originTrust(authenticator: Authenticator, request: HttpRequest): Trust {
  return authenticator.origins.trustOf(request.getHeader('origin'), request.getHeader('host'));
}

/** Who sends a request, by its `Authorization`. */
export function authenticateRequest(
  authenticator: Authenticator,
  request: HttpRequest,
): AuthResult | Promise<AuthResult> {
  return authenticator.required ? authenticator.authenticate(bearerToken(request)) : ANONYMOUS;
}

/** Who asks for a handshake: by the header, else by a subprotocol among those `asked` for. */
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

/** The token in `Authorization: Bearer`; '' where there is none that can be understood. */
function bearerToken(request: HttpRequest): string {
  return /^Bearer +([\w.~+/-]+=*)$/i.exec(request.getHeader('authorization'))?.[1] ?? '';
}

/** What somebody hears who is not let in. */
export function authFailureResponse(code: AuthFailure): ResponseContent {
  if (code === 'unauthorized') {
    return errorResponse(401, code, CREDENTIALS_HELP, { 'WWW-Authenticate': 'Bearer' });
  }
  const retryAfter = Math.ceil(LIMITS.jwks.retryMs / 1000);
  return requestError(code, { 'Retry-After': String(retryAfter) });
}

/**
 * What a handshake or a request hears that finds no room. 503: another worker or instance may have
 * some; 429: the client's own connections are too many.
 */
export function connectionLimitResponse(
  limit: ConnectionLimit,
  maxPerAddress: number,
): ResponseContent {
  if (limit === 'worker') return requestError('too_many_connections', RETRY_SOON);
  const message = `an address may have ${maxPerAddress} connections, unanswered requests included`;
  return errorResponse(429, 'too_many_connections', message, RETRY_SOON);
}

/**
 * Calls `use` with what was decided when that is there, unless the client has gone away.
 * @param failed is told what `use` has thrown: nobody else would hear of it
 */
export function resolveUnlessAborted<T>(
  response: HttpResponse,
  auth: Promise<T>,
  use: (decided: T) => void,
  failed: (error: unknown) => void,
): void {
  let aborted = false;
  response.onAborted(() => {
    aborted = true;
  });
  auth.then((decided) => (aborted ? undefined : use(decided))).catch(failed);
}
