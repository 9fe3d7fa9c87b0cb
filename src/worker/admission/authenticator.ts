import type { ToWorker } from '../../ipc.ts';
import { type Logger, SampledLog } from '../../logging/logger.ts';
import { Identity, type Verdict } from './identity.ts';
import type { JwtVerifier } from './jwt.ts';
import type { KeyRing } from './key-ring.ts';
import type { Origins } from './origins.ts';

export interface GateOptions {
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
export class Gate {
  readonly origins: Origins;
  readonly #keys: KeyRing | undefined;
  readonly #jwt: JwtVerifier | undefined;
  readonly #log: Logger;
  readonly #sampled = new SampledLog();
  /** Clients have to say who they are. */
  readonly required: boolean;
  readonly waitsForKeys: boolean;

  constructor({ origins, keys, jwt, log, waitsForKeys = false }: GateOptions) {
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
  admit(token: string): Verdict | Promise<Verdict> {
    if (token === '') return this.#refuse('no credentials');
    const key = this.#keys?.find(token);
    if (key !== undefined) {
      return key.isOver() ? this.#refuse('expired key', key.name) : key;
    }
    if (this.#jwt !== undefined && JWT.test(token)) return this.#verify(this.#jwt, token);
    return this.#refuse('unknown key');
  }

  /** From now on the keys in `message` let in, and no others. */
  takeKeys({ keys, keySet }: ToWorker & { readonly type: 'keys' }): void {
    if (keys !== undefined) this.#keys?.replace(keys);
    if (keySet !== undefined) this.#jwt?.setKeys(keySet);
  }

  /** What had let somebody in is over: his connection was ended. */
  ended({ name }: Identity): void {
    this.#sampled.line('ended', (held) =>
      this.#log.info({ identity: name, held }, 'connection closed, key or token no longer valid'),
    );
  }

  async #verify(jwt: JwtVerifier, token: string): Promise<Verdict> {
    const verdict = await jwt.verify(token);
    if (verdict instanceof Identity) return verdict;
    const { reason, unavailable } = verdict;
    this.#refuse(reason);
    return unavailable ? 'identity_unavailable' : 'unauthorized';
  }

  /** The answer is the same for all; what was wrong is for operators. */
  #refuse(reason: string, name?: string): 'unauthorized' {
    this.#sampled.line(reason, (held) =>
      this.#log.warn({ reason, identity: name, held }, 'client authentication failed'),
    );
    return 'unauthorized';
  }
}
