/** What requests bring to get in, and what they are answered. */
import { LIMITS } from '../../limits.ts';
import type { Logger } from '../../log.ts';
import type { NotAdmitted, Verdict } from '../admission/identity.ts';
import { type Answer, errorAnswer, requestError } from './answers.ts';
import type { HttpRequest, HttpResponse } from './uws.ts';

/** The subprotocol that carries a token: browsers can set no header of a handshake but that one. */
const KEY_PROTOCOL = 'forebay.key.';

/** Says how it is done, and the same whatever was wrong: nobody learns what would be right. */
const HOW =
  'valid credentials are needed, as `Authorization: Bearer`, or of a WebSocket as the subprotocol ' +
  `${KEY_PROTOCOL}<token>; not in the address`;

/** The token in `Authorization: Bearer`; '' where there is none that can be understood. */
export function bearerToken(request: HttpRequest): string {
  return /^Bearer +([\w.~+/-]+=*)$/i.exec(request.getHeader('authorization'))?.[1] ?? '';
}

/** The token of a handshake: the header's, else that among the subprotocols that are asked for. */
export function handshakeToken(request: HttpRequest, asked: readonly string[]): string {
  if (request.getHeader('authorization') !== '') return bearerToken(request);
  const found = asked.find((name) => name.startsWith(KEY_PROTOCOL)) ?? '';
  return found.slice(KEY_PROTOCOL.length);
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
 * Calls `use` with the verdict when it is there, unless the client has gone away.
 * @param failed is told what `use` has thrown: nobody else would hear of it
 */
export function decideLater(
  response: HttpResponse,
  verdict: Promise<Verdict>,
  use: (verdict: Verdict) => void,
  failed: (error: unknown) => void,
): void {
  let gone = false;
  response.onAborted(() => {
    gone = true;
  });
  verdict.then((decided) => (gone ? undefined : use(decided))).catch(failed);
}

/** Ends a request that something of ours has failed on; it may have been answered before. */
export function abandon(response: HttpResponse, log: Logger, err: unknown): void {
  log.error({ err }, 'a request failed');
  try {
    response.close();
  } catch {
    // It was.
  }
}
