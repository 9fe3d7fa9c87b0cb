/**
 * Who may command: operators on this machine, or whoever has the token; never a web page. And which
 * page may have the live view's numbers. The name under which they ask was checked before
 * (host-rule.ts).
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { REQUEST_CODES } from '../common/errors.ts';
import { isLoopback } from '../common/ip-addresses.ts';
import type { Config } from '../config/config.ts';
import { readSecret } from '../config/secret-files.ts';

/** Why a request is not taken. */
export interface Refusal {
  readonly code: 'unauthorized' | 'forbidden_origin';
  readonly message: string;
}

/**
 * The token that commands must bring; undefined = none.
 * @throws StartError (exit code 1) when its file cannot be read or is empty
 */
export function readAdminToken(
  config: Pick<Config, 'adminToken' | 'adminTokenFile'>,
): string | undefined {
  const { adminToken, adminTokenFile: file } = config;
  return file === undefined ? adminToken : readSecret('FOREBAY_ADMIN_TOKEN_FILE', file);
}

/**
 * Whether a command is taken. A browser sends `Origin` with each POST.
 * @param host where the commands are listened for
 */
export function refuseCommand(
  headers: IncomingHttpHeaders,
  host: string,
  token: string | undefined,
): Refusal | undefined {
  if (headers.origin !== undefined) {
    return { code: 'forbidden_origin', message: 'commands are not taken from web pages' };
  }
  if (token !== undefined) {
    const [, given] = headers.authorization?.match(/^Bearer +(.+)$/i) ?? [];
    if (given !== undefined && isSame(given, token)) return undefined;
    return { code: 'unauthorized', message: REQUEST_CODES.unauthorized.text };
  }
  if (!isLoopback(host)) {
    const message = `commands on ${host} need a token: set FOREBAY_ADMIN_TOKEN`;
    return { code: 'unauthorized', message };
  }
  if (headers.host) return undefined;
  return { code: 'forbidden_origin', message: 'commands without a token need a Host' };
}

/** Whether a browser may have the live view's numbers: its own page may, another one may not. */
export function refuseViewer(headers: IncomingHttpHeaders): Refusal | undefined {
  const { origin, host: asked } = headers;
  const site = headers['sec-fetch-site'] ?? 'same-origin';
  const isOwn = origin === undefined || /^https?:\/\/(.*)$/.exec(origin)?.[1] === asked;
  if (isOwn && (site === 'same-origin' || site === 'none')) return undefined;
  return { code: 'forbidden_origin', message: 'the numbers are for the live view alone' };
}

/** In a time that says nothing of where they differ. */
function isSame(given: string, token: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(given), hash(token));
}
