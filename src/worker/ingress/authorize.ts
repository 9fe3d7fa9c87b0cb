/** What requests bring to get in, and what they are answered. */
import { LIMITS } from '../../config/limits.ts';
import type { Gate } from '../admission/authenticator.ts';
import type { Full } from '../admission/connections.ts';
import { ANYBODY, type NotAdmitted, type Verdict } from '../admission/identity.ts';
import type { Trust } from '../admission/origins.ts';
import { AGAIN_SOON, type Answer, errorAnswer, requestError } from './http/responses.ts';
import type { HttpRequest, HttpResponse } from './uws.ts';

/** The subprotocol that carries a token: browsers can set no header of a handshake but that one. */
const KEY_PROTOCOL = 'forebay.key.';

/** Says how it is done, and the same whatever was wrong: nobody learns what would be right. */
const HOW =
  'valid credentials are required, as `Authorization: Bearer`, or for a WebSocket as the subprotocol ' +
  `${KEY_PROTOCOL}<token>; not in the address`;

/** Whether the page that a request comes from may send, if it comes from one. */
export function trustOfPage(gate: Gate, request: HttpRequest): Trust {
  return gate.origins.trustOf(request.getHeader('origin'), request.getHeader('host'));
}

/** Who sends a request, by its `Authorization`. */
export function admitRequest(gate: Gate, request: HttpRequest): Verdict | Promise<Verdict> {
  return gate.required ? gate.admit(bearerToken(request)) : ANYBODY;
}

/** Who asks for a handshake: by the header, else by a subprotocol among those `asked` for. */
export function admitHandshake(
  gate: Gate,
  request: HttpRequest,
  asked: readonly string[],
): Verdict | Promise<Verdict> {
  if (!gate.required) return ANYBODY;
  if (request.getHeader('authorization') !== '') return gate.admit(bearerToken(request));
  const found = asked.find((name) => name.startsWith(KEY_PROTOCOL)) ?? '';
  return gate.admit(found.slice(KEY_PROTOCOL.length));
}

/** The token in `Authorization: Bearer`; '' where there is none that can be understood. */
function bearerToken(request: HttpRequest): string {
  return /^Bearer +([\w.~+/-]+=*)$/i.exec(request.getHeader('authorization'))?.[1] ?? '';
}

/** What somebody hears who is not let in. */
export function notAdmitted(code: NotAdmitted): Answer {
  if (code === 'unauthorized') {
    return errorAnswer(401, code, HOW, { 'WWW-Authenticate': 'Bearer' });
  }
  const retryAfter = Math.ceil(LIMITS.jwks.retryMs / 1000);
  return requestError(code, { 'Retry-After': String(retryAfter) });
}

/**
 * What a handshake or a request hears that finds no room. 503: another worker or instance may have
 * some; 429: the client's own connections are too many.
 */
export function noRoom(full: Full, maxPerAddress: number): Answer {
  if (full === 'worker') return requestError('too_many_connections', AGAIN_SOON);
  const message = `an address may have ${maxPerAddress} connections, unanswered requests included`;
  return errorAnswer(429, 'too_many_connections', message, AGAIN_SOON);
}

/**
 * Calls `use` with what was decided when that is there, unless the client has gone away.
 * @param failed is told what `use` has thrown: nobody else would hear of it
 */
export function decideLater<T>(
  response: HttpResponse,
  verdict: Promise<T>,
  use: (decided: T) => void,
  failed: (error: unknown) => void,
): void {
  let gone = false;
  response.onAborted(() => {
    gone = true;
  });
  verdict.then((decided) => (gone ? undefined : use(decided))).catch(failed);
}
