/** Authentication of requests and handshakes, and the responses that reject them. */
import { EVENT_CODES } from '../../common/errors.ts';
import { LIMITS } from '../../config/limits.ts';
import type { Authenticator } from '../admission/authenticator.ts';
import type { ConnectionLimit } from '../admission/connections.ts';
import {
  ANONYMOUS,
  type AuthFailure,
  type AuthResult,
  type Identity,
} from '../admission/identity.ts';
import type { Trust } from '../admission/origins.ts';
import type { ActiveStreams } from '../streams/active-streams.ts';
import { RejectingRoute, type Route } from '../streams/route.ts';
import { REMOVED_STREAM_TEXT, type Sender, type StreamRejection } from '../streams/stream.ts';
import type { StreamTable } from '../streams/stream-table.ts';
import { errorResponse, RETRY_SOON, type ResponseContent, requestError } from './http/responses.ts';
import { EVENTS_PATH, streamNameIn } from './paths.ts';
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

/**
 * Authenticates a request by its `Authorization` header.
 * @param isOpen whether it may have none
 */
export function authenticateRequest(
  authenticator: Authenticator,
  request: HttpRequest,
  isOpen: boolean,
): AuthResult | Promise<AuthResult> {
  if (!authenticator.required) return ANONYMOUS;
  if (isOpen && request.getHeader('authorization') === '') return ANONYMOUS;
  return authenticator.authenticate(bearerToken(request));
}

/**
 * Authenticates a handshake by its `Authorization` header, else by one of its `subprotocols`.
 * @param isOpen whether it may have no credentials
 */
export function authenticateHandshake(
  authenticator: Authenticator,
  request: HttpRequest,
  subprotocols: readonly string[],
  isOpen: boolean,
): AuthResult | Promise<AuthResult> {
  if (!authenticator.required) return ANONYMOUS;
  if (request.getHeader('authorization') !== '') {
    return authenticator.authenticate(bearerToken(request));
  }
  const found = subprotocols.find((name) => name.startsWith(TOKEN_PROTOCOL));
  if (found === undefined && isOpen) return ANONYMOUS;
  return authenticator.authenticate(found?.slice(TOKEN_PROTOCOL.length) ?? '');
}

/** Returns the token of `Authorization: Bearer`; '' if missing or malformed. */
function bearerToken(request: HttpRequest): string {
  return /^Bearer +([\w.~+/-]+=*)$/i.exec(request.getHeader('authorization'))?.[1] ?? '';
}

/** A sender, and the destination of its events. */
export interface Authorized {
  readonly identity: Identity;
  readonly route: Route;
}

/** Reason why a client may not send: its credentials, or the stream in its path. */
export type Unauthorized = AuthFailure | StreamRejection;

/** Result for a sender: permission to send, or the reason why not. */
export type Authorization = Authorized | Unauthorized;

/**
 * Finds the destination of an authenticated sender's events.
 * @param name stream in the path; undefined = none
 * @param client the sender without its identity
 */
export function authorized(
  auth: AuthResult,
  streams: StreamTable,
  name: string | undefined,
  client: Omit<Sender, 'identity'>,
): Authorization {
  if (typeof auth === 'string') return auth;
  const route = streams.routeOf(name, { ...client, identity: auth });
  return route instanceof RejectingRoute ? route.rejection : { identity: auth, route };
}

/** Authenticates the sender of a body, and finds the destination of its events. */
export function authorizeRequest(
  authenticator: Authenticator,
  { table: streams }: ActiveStreams,
  request: HttpRequest,
): Authorization | Promise<Authorization> {
  const name = streamNameIn(EVENTS_PATH, request.getUrl());
  const client = { origin: request.getHeader('origin'), plain: false };
  const auth = authenticateRequest(authenticator, request, streams.isOpen(name));
  if (!(auth instanceof Promise)) return authorized(auth, streams, name, client);
  return auth.then((result) => authorized(result, streams, name, client));
}

/** Returns the response to a client that may not send. */
export function unauthorizedResponse(code: Unauthorized): ResponseContent {
  if (code === 'draining') return errorResponse(503, code, REMOVED_STREAM_TEXT, RETRY_SOON);
  if (code === 'unknown_stream' || code === 'forbidden_stream') {
    const { http, text } = EVENT_CODES[code];
    return errorResponse(http, code, text);
  }
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
