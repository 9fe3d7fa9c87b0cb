/**
 * Authorization of commands: from operators on this machine or with the token, never from a web
 * page; and of the live view's data stream. The requested host name was checked before
 * (host-rule.ts).
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { REQUEST_CODES } from '../common/errors.ts';
import { isLoopback } from '../common/ip-addresses.ts';
import type { Config } from '../config/config.ts';
import { readSecret } from '../config/secret-files.ts';

/** Rejection of a request. */
export interface Refusal {
  readonly code: 'unauthorized' | 'forbidden_origin';
  readonly message: string;
}

/**
 * Returns the token that commands require; undefined = none.
 * @throws StartError (exit code 1) if its file is unreadable or empty
 */
export function readAdminToken(
  config: Pick<Config, 'adminToken' | 'adminTokenFile'>,
): string | undefined {
  const { adminToken, adminTokenFile: file } = config;
  return file === undefined ? adminToken : readSecret('FOREBAY_ADMIN_TOKEN_FILE', file);
}

/**
 * Returns the rejection of a command; undefined = authorized. A browser sends `Origin` with each
 * POST.
 * @param host address of the admin port
 */
export function refuseCommand(
  headers: IncomingHttpHeaders,
  host: string,
  token: string | undefined,
): Refusal | undefined {
  if (headers.origin !== undefined) {
    return { code: 'forbidden_origin', message: 'commands from web pages are rejected' };
  }
  if (token !== undefined) return refuseToken(headers, token);
  if (!isLoopback(host)) {
    const message = `commands on ${host} require a token: set FOREBAY_ADMIN_TOKEN`;
    return { code: 'unauthorized', message };
  }
  if (headers.host) return undefined;
  return { code: 'forbidden_origin', message: 'commands without a token require a Host header' };
}

/** Returns the rejection of a data stream: only the live view's own page may open it. */
export function refuseViewer(headers: IncomingHttpHeaders): Refusal | undefined {
  const { origin, host: asked } = headers;
  const site = headers['sec-fetch-site'] ?? 'same-origin';
  const isOwn = origin === undefined || /^https?:\/\/(.*)$/.exec(origin)?.[1] === asked;
  if (isOwn && (site === 'same-origin' || site === 'none')) return undefined;
  return { code: 'forbidden_origin', message: 'only pages of this port may read this data' };
}

/**
 * Returns the rejection of the live tail, which shows parts of events.
 * @param token of the admin port
 * @param isOpen whether it requires no token: the port is on loopback
 */
export function refuseTail(
  headers: IncomingHttpHeaders,
  token: string | undefined,
  isOpen: boolean,
): Refusal | undefined {
  const refusal = refuseViewer(headers);
  if (refusal !== undefined) return refusal;
  if (!isOpen) return refuseToken(headers, token);
  if (headers.host) return undefined;
  const message = 'the live tail without a token requires a Host header';
  return { code: 'forbidden_origin', message };
}

function refuseToken(
  { authorization }: IncomingHttpHeaders,
  token: string | undefined,
): Refusal | undefined {
  const [, given] = authorization?.match(/^Bearer +(.+)$/i) ?? [];
  if (given !== undefined && token !== undefined && isSame(given, token)) return undefined;
  return { code: 'unauthorized', message: REQUEST_CODES.unauthorized.text };
}

/** Compares in constant time. */
function isSame(given: string, token: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(given), hash(token));
}
