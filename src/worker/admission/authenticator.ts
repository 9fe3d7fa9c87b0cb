import type { ToWorker } from '../../ipc.ts';
import { type Logger, SampledLog } from '../../logging/logger.ts';
import { type AuthResult, Identity } from './identity.ts';
import type { JwtVerifier } from './jwt.ts';
import type { KeyRing } from './key-ring.ts';
import type { Origins } from './origins.ts';

export interface AuthenticatorOptions {
  readonly origins: Origins;
  /** API keys let in. */
  readonly keys?: KeyRing;
  /** JWTs let in. */
  readonly jwt?: JwtVerifier;
  readonly log: Logger;
  /** Keys come from the primary: nobody is let in before. */
  readonly waitsForKeys?: boolean;
}

const JWT = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/** Who gets in. With neither keys nor JWT configured, everybody. */
export class Authenticator {
  readonly origins: Origins;
  readonly #keys: KeyRing | undefined;
  readonly #jwt: JwtVerifier | undefined;
  readonly #log: Logger;
  readonly #sampled = new SampledLog();
  /** Clients have to say who they are. */
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
   * Whether somebody with this token gets in, where that is {@link required}; at once but for a
   * JWT. The promise never rejects.
   * @param token '' = none, or none that can be understood
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

  /** From now on the keys in `message` let in, and no others. */
  setKeys({ keys, keySet }: ToWorker & { readonly type: 'keys' }): void {
    if (keys !== undefined) this.#keys?.replace(keys);
    if (keySet !== undefined) this.#jwt?.setKeys(keySet);
  }

  /** What had let somebody in is over: his connection was ended. */
  logExpired({ name }: Identity): void {
    this.#sampled.line('ended', (held) =>
      this.#log.info({ identity: name, held }, 'connection closed, key or token no longer valid'),
    );
  }

  async #verify(jwt: JwtVerifier, token: string): Promise<AuthResult> {
    const auth = await jwt.verify(token);
    if (auth instanceof Identity) return auth;
    const { reason, unavailable } = auth;
    this.#reject(reason);
    return unavailable ? 'identity_unavailable' : 'unauthorized';
  }

  /** The answer is the same for all; what was wrong is for operators. */
  #reject(reason: string, name?: string): 'unauthorized' {
    this.#sampled.line(reason, (held) =>
      this.#log.warn({ reason, identity: name, held }, 'client authentication failed'),
    );
    return 'unauthorized';
  }
}
