/** Tokens of API keys, and their hashes. */
import { createHash, randomBytes } from 'node:crypto';

/** Recognized by secret scanners. */
const PREFIX = 'fbk_';
const TOKEN_BYTES = 32;

/** Creates a token. Its characters are valid in a header and in a WebSocket subprotocol. */
export function newToken(): string {
  return PREFIX + randomBytes(TOKEN_BYTES).toString('base64url');
}

/**
 * Hash by which a token is identified, in hexadecimal digits. One round of SHA-256 is enough: slow
 * hashes protect weak passwords, but 256 random bits cannot be guessed at any speed.
 */
export function tokenHash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
