import type { KeyRate } from '../../api-keys/format.ts';
import { NO_KEY_CELLS } from '../../metrics/slots.ts';
import { type Buckets, TokenBucket } from './token-bucket.ts';

/** Identity of a client; all connections and requests of an API key share one. */
export class Identity {
  /** Name for logs, sanitized. */
  readonly name: string;
  #rate: KeyRate | undefined;
  #buckets: Buckets | undefined;
  /** Expiry, ms since 1970. */
  endsAtMs: number;
  /** Streams that it may write to; undefined = every keyed one. A new object if changed. */
  streams: ReadonlySet<string> | undefined;
  /** Offset of its cells in the metrics of keys; negative = it has none. */
  readonly keyCells: number;

  constructor(
    name: string,
    endsAtMs: number,
    rate?: KeyRate,
    streams?: ReadonlySet<string>,
    keyCells = NO_KEY_CELLS,
  ) {
    this.name = name;
    this.keyCells = keyCells;
    this.endsAtMs = endsAtMs;
    this.streams = streams;
    this.rate = rate;
  }

  /** Rate limit of all its clients on this worker; a new object if changed. */
  get rate(): KeyRate | undefined {
    return this.#rate;
  }
  set rate(rate: KeyRate | undefined) {
    if (rate === this.#rate) return;
    this.#rate = rate;
    this.#buckets = rate && [new TokenBucket(rate)];
  }

  /** Buckets of that rate; a new object when the rate changes. */
  get buckets(): Buckets | undefined {
    return this.#buckets;
  }

  isExpired(nowMs = Date.now()): boolean {
    return nowMs >= this.endsAtMs;
  }
}

/** Identity of all clients without authentication. */
export const ANONYMOUS = new Identity('', Number.POSITIVE_INFINITY);

/** Failure of authentication: invalid credentials, or credentials that cannot be verified now. */
export type AuthFailure = 'unauthorized' | 'identity_unavailable';

/** Result of authentication. */
export type AuthResult = Identity | AuthFailure;
