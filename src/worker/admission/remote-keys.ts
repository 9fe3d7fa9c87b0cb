import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose';
import { parseKeySet } from '../../api-keys/format.ts';
import { systemReason } from '../../common/errors.ts';
import { LIMITS } from '../../config/limits.ts';

/** The keys cannot be had, so that nobody knows whether a token is good. */
export class KeysUnavailable extends Error {
  readonly code = 'KEYS_UNAVAILABLE';
}

export interface RemoteKeysOptions {
  readonly url: URL;
  /** The keys cannot be had; those that were had before are used on. */
  readonly failed: (reason: string) => void;
  /** After an unknown key nobody asks again for so long. */
  readonly coolDownMs?: number;
  readonly retryMs?: number;
}

/** The public keys at an address: asked for at the start, every few minutes, and for a new key. */
export class RemoteKeys {
  readonly #options: RemoteKeysOptions;
  readonly #set: ReturnType<typeof createRemoteJWKSet>;
  #failedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: RemoteKeysOptions) {
    this.#options = options;
    const { refreshMs, coolDownMs, timeoutMs, ageMsMax } = LIMITS.jwks;
    this.#set = createRemoteJWKSet(options.url, {
      timeoutDuration: timeoutMs,
      cooldownDuration: options.coolDownMs ?? coolDownMs,
      cacheMaxAge: ageMsMax,
      [customFetch]: fetchKeySet,
    });
    setInterval(() => void this.#refresh(), refreshMs).unref();
    void this.#refresh();
  }

  /** The key of a token. @throws KeysUnavailable, or jose's error for a token without one */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const { retryMs = LIMITS.jwks.retryMs } = this.#options;
    // Or whoever sends tokens would have us ask at his pace.
    const isDown = performance.now() - this.#failedAtMs < retryMs;
    if (isDown && !this.#hasKey(header.kid)) throw new KeysUnavailable('they could not be had');
    try {
      return await this.#set(header, token);
    } catch (error) {
      if (isTokenError(error)) throw error;
      this.#failed(error);
      throw new KeysUnavailable('they cannot be had', { cause: error });
    }
  };

  /** Whether a key is among those that we have. */
  #hasKey(kid: string | undefined): boolean {
    if (!this.#set.fresh) return false;
    return this.#set.jwks()?.keys.some((key) => kid === undefined || key.kid === kid) ?? false;
  }

  async #refresh(): Promise<void> {
    try {
      await this.#set.reload();
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    this.#failedAtMs = performance.now();
    this.#options.failed(reasonOf(error));
  }
}

/**
 * Fetches a key set for jose, which by itself reads answers of any length and takes any key. The
 * signal ends the reading too.
 * @throws Error for an answer that is none: jose keeps the keys that it has
 */
async function fetchKeySet(url: string, init: RequestInit): Promise<Response> {
  const { bytes: maxBytes } = LIMITS.jwks;
  const response = await fetch(url, init);
  if (response.status !== 200) {
    // jose reads no more of it than the status.
    await response.body?.cancel();
    return response;
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // To leave the loop ends the connection.
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new Error(`the answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  try {
    return Response.json(parseKeySet(new TextDecoder().decode(Buffer.concat(chunks))));
  } catch (error) {
    throw new Error(`the answer ${(error as Error).message}`);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWKSTimeout) return `no answer for ${LIMITS.jwks.timeoutMs} ms`;
  const { message, cause } = error as Error;
  // jose's own errors are described by their message; fetch has the reason in the cause.
  return cause === undefined ? message : systemReason(cause);
}

/** The keys are there, and the token has none among them. */
function isTokenError(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}
