import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose';
import { parseKeySet } from '../../api-keys/format.ts';
import { systemReason } from '../../common/errors.ts';
import { LIMITS } from '../../config/limits.ts';

/** The keys cannot be fetched, so that tokens cannot be verified. */
export class KeysUnavailable extends Error {
  readonly code = 'KEYS_UNAVAILABLE';
}

export interface RemoteKeysOptions {
  readonly url: URL;
  /** Called when a fetch fails; previous keys stay in use. */
  readonly failed: (reason: string) => void;
  /** Minimum interval between fetches for unknown keys. */
  readonly coolDownMs?: number;
  readonly retryMs?: number;
}

/** Public keys of a JWKS URL: fetched at the start, every few minutes, and for an unknown key. */
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

  /** Returns the key of a token. @throws KeysUnavailable, or jose's error if there is none */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const { retryMs = LIMITS.jwks.retryMs } = this.#options;
    // Without this bound, senders of tokens would control the rate of fetches.
    const isDown = performance.now() - this.#failedAtMs < retryMs;
    if (isDown && !this.#hasKey(header.kid)) throw new KeysUnavailable('the last fetch failed');
    try {
      return await this.#set(header, token);
    } catch (error) {
      if (isTokenError(error)) throw error;
      this.#failed(error);
      throw new KeysUnavailable('the fetch failed', { cause: error });
    }
  };

  /** Returns whether a key is in the cache. */
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
 * Fetches a key set for jose, whose own fetch neither bounds the length nor validates keys. The
 * signal also aborts reading the body.
 * @throws Error for an invalid response: jose keeps its previous keys
 */
async function fetchKeySet(url: string, init: RequestInit): Promise<Response> {
  const { bytes: maxBytes } = LIMITS.jwks;
  const response = await fetch(url, init);
  if (response.status !== 200) {
    // jose only reads the status.
    await response.body?.cancel();
    return response;
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop closes the connection.
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new Error(`the response is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  try {
    return Response.json(parseKeySet(new TextDecoder().decode(Buffer.concat(chunks))));
  } catch (error) {
    throw new Error(`the response ${(error as Error).message}`);
  }
}

/** Fetches a key set once. @returns its number of keys, or the reason of the failure */
export async function fetchKeysOnce(
  url: URL,
): Promise<{ readonly keys: number } | { readonly failure: string }> {
  const { timeoutMs } = LIMITS.jwks;
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await fetchKeySet(url.href, { signal, redirect: 'manual' });
    if (response.status !== 200) return { failure: `the response has status ${response.status}` };
    const { keys } = (await response.json()) as { readonly keys: readonly unknown[] };
    return { keys: keys.length };
  } catch (error) {
    const isLate = (error as Error).name === 'TimeoutError';
    return { failure: isLate ? `no response within ${timeoutMs} ms` : reasonOf(error) };
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWKSTimeout) return `no response within ${LIMITS.jwks.timeoutMs} ms`;
  const { message, cause } = error as Error;
  // jose's own errors have a useful message; fetch has the reason in its cause.
  return cause === undefined ? message : systemReason(cause);
}

/** Returns whether the token is at fault: the keys are available, but none of them matches. */
function isTokenError(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}
