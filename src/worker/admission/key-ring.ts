import type { KeyEntry, KeyRate } from '../../api-keys/format.ts';
import { tokenHash } from '../../api-keys/token.ts';
import { Identity } from './identity.ts';

/** The API keys of the instance. */
export class KeyRing {
  #byHash = new Map<string, Identity>();

  /**
   * The key of this token, over or not. How long it takes tells nothing of other tokens: what is
   * compared is the hash of this one, which nobody can choose.
   */
  find(token: string): Identity | undefined {
    return this.#byHash.get(tokenHash(token));
  }

  /** Has these keys and no others. A key that was there before stays the same identity. */
  replace(entries: readonly KeyEntry[]): void {
    const old = this.#byHash;
    this.#byHash = new Map(
      entries.map(({ sha256, name, endsAtMs, rate }) => {
        const known = old.get(sha256);
        if (known === undefined || known.name !== name) {
          return [sha256, new Identity(name, endsAtMs, rate)];
        }
        known.endsAtMs = endsAtMs;
        if (!isSameRate(known.rate, rate)) known.rate = rate;
        return [sha256, known];
      }),
    );
    for (const [sha256, identity] of old) {
      if (this.#byHash.get(sha256) !== identity) identity.endsAtMs = 0;
    }
  }
}

function isSameRate(a: KeyRate | undefined, b: KeyRate | undefined): boolean {
  return a?.eventsPerSecond === b?.eventsPerSecond && a?.burst === b?.burst;
}
