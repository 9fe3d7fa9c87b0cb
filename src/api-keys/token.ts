/** Tokens of API keys, and what is kept of them. */
import { createHash, randomBytes } from 'node:crypto';

/** Programs that look for secrets in code find them by it. */
const PREFIX = 'fbk_';
const TOKEN_BYTES = 32;

/** A new token. Its letters may stand in a header and in a WebSocket's subprotocol alike. */
export function newToken(): string {
  return PREFIX + randomBytes(TOKEN_BYTES).toString('base64url');
}

/**
 * What a token is known by, in hexadecimal digits. One round of SHA-256 is enough: a slow hash
 * protects what people choose, and nobody guesses 256 random bits, however fast the guesses are.
 */
export function tokenHash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
