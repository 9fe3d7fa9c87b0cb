import type { ToWorker } from '../../ipc.ts';
import { type Logger, SampledLog } from '../../logging/logger.ts';
import { type AuthResult, Identity } from './identity.ts';
import type { JwtVerifier } from './jwt.ts';
import type { KeyRing } from './key-ring.ts';
import type { Origins } from './origins.ts';

export interface AuthenticatorOptions {
  readonly origins: Origins;
  /** Valid API keys. */
  readonly keys?: KeyRing;
  /** Verifies JWTs. */
  readonly jwt?: JwtVerifier;
  readonly log: Logger;
  /** Keys come from the primary: no client can authenticate before. */
  readonly waitsForKeys?: boolean;
}

const JWT = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/** Authenticates clients by API key or JWT. With neither configured, all clients are anonymous. */
export class Authenticator {
  readonly origins: Origins;
  readonly #keys: KeyRing | undefined;
  readonly #jwt: JwtVerifier | undefined;
  readonly #log: Logger;
  readonly #sampled = new SampledLog();
  /** Clients must authenticate. */
  readonly required: boolean;
  readonly waitsForKeys: boolean;

  constructor({ origins, keys, jwt, log, waitsForKeys = false }: AuthenticatorOptions) {
    this.origins = origins;
    this.#keys = keys;
    this.#jwt = jwt;
    this.#log = log;
    this.required = (keys ?? jwt) !== undefined;
    this.waitsForKeys = waitsForKeys;
  }

  /**
   * Authenticates a client by its token, if {@link required}; asynchronously only for a JWT. The
   * promise never rejects.
   * @param token '' = missing or malformed
   */
  authenticate(token: string): AuthResult | Promise<AuthResult> {
    if (token === '') return this.#reject('no credentials');
    const key = this.#keys?.find(token);
    if (key !== undefined) {
      return key.isExpired() ? this.#reject('expired key', key.name) : key;
    }
    if (this.#jwt !== undefined && JWT.test(token)) return this.#verify(this.#jwt, token);
    return this.#reject('unknown key');
  }

  /** Replaces the valid keys by those in `message`. */
  setKeys({ keys, keySet, slots }: ToWorker & { readonly type: 'keys' }): void {
    if (keys !== undefined) this.#keys?.replace(keys, slots);
    if (keySet !== undefined) this.#jwt?.setKeys(keySet);
  }

  /** Logs that a connection was closed because its key or token has expired. */
  logExpired({ name }: Identity): void {
    this.#sampled.line('ended', (held) =>
      this.#log.info({ identity: name, held }, 'connection closed, key or token no longer valid'),
    );
  }

  async #verify(jwt: JwtVerifier, token: string): Promise<AuthResult> {
    const result = await jwt.verify(token);
    if (result instanceof Identity) return result;
    const { reason, unavailable } = result;
    this.#reject(reason);
    return unavailable ? 'identity_unavailable' : 'unauthorized';
  }

  /** Clients always get the same response; the reason is logged for operators. */
  #reject(reason: string, name?: string): 'unauthorized' {
    this.#sampled.line(reason, (held) =>
      this.#log.warn({ reason, identity: name, held }, 'client authentication failed'),
    );
    return 'unauthorized';
  }
}
