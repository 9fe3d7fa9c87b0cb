import type { KeyRate } from '../../api-keys/format.ts';
import { type Buckets, TokenBucket } from './token-bucket.ts';

/** Who a client is; all connections and requests of an API key share one. */
export class Identity {
  /** For logs: letters that mean nothing there. */
  readonly name: string;
  #rate: KeyRate | undefined;
  #buckets: Buckets | undefined;
  /** When it is over, ms since 1970. */
  endsAtMs: number;

  constructor(name: string, endsAtMs: number, rate?: KeyRate) {
    this.name = name;
    this.endsAtMs = endsAtMs;
    this.rate = rate;
  }

  /** What all of them together may send to this worker; another object when it has changed. */
  get rate(): KeyRate | undefined {
    return this.#rate;
  }
  set rate(rate: KeyRate | undefined) {
    if (rate === this.#rate) return;
    this.#rate = rate;
    this.#buckets = rate && [new TokenBucket(rate)];
  }

  /** What holds them to that rate; another one when it has changed. */
  get buckets(): Buckets | undefined {
    return this.#buckets;
  }

  isExpired(nowMs = Date.now()): boolean {
    return nowMs >= this.endsAtMs;
  }
}

/** Where nobody has to say who he is. */
export const ANONYMOUS = new Identity('', Number.POSITIVE_INFINITY);

/** Why somebody is not let in: wrong credentials, or such as cannot be checked now. */
export type AuthFailure = 'unauthorized' | 'identity_unavailable';

/** What becomes of somebody who wants to get in. */
export type AuthResult = Identity | AuthFailure;
