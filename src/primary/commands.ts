/** Who may command: operators on this machine, or whoever has the token; never a web page. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { type Config, readSecretFile } from '../config.ts';
import { EXIT, REQUEST_CODES, StartError } from '../errors.ts';
import { isLoopback } from '../loopback.ts';

/** Why a command is not taken. */
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
  if (file === undefined) return adminToken;
  const token = readSecretFile('FOREBAY_ADMIN_TOKEN_FILE', file).replace(/\r?\n$/, '');
  if (token !== '') return token;
  throw new StartError(`FOREBAY_ADMIN_TOKEN_FILE: ${file} is empty`, EXIT.failed);
}

/**
 * Whether a command is taken. A browser sends `Origin` with each POST, and under a name that was
 * bound to this machine's address (DNS rebinding) a `Host` that is not ours.
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
  const name = hostName(headers.host);
  if (isLoopback(name) || name === host.toLowerCase()) return undefined;
  const message = 'commands without a token are taken under the name of this machine alone';
  return { code: 'forbidden_origin', message };
}

/** In a time that says nothing of where they differ. */
function isSame(given: string, token: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(given), hash(token));
}

/** Of a `Host` header, without port and brackets. */
function hostName(host = ''): string {
  const [, bracketed, plain] =
    host.toLowerCase().match(/^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/) ?? [];
  return bracketed ?? plain ?? '';
}
