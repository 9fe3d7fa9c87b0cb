import type { KeyEntry, KeyRate } from '../../api-keys/format.ts';
import { tokenHash } from '../../api-keys/token.ts';
import {
  IMPLICIT_SLOTS,
  keyCellsByName,
  type MetricSlots,
  OTHER_KEY_CELLS,
} from '../../metrics/slots.ts';
import { Identity } from './identity.ts';

/** The API keys of the instance. */
export class KeyRing {
  #byHash = new Map<string, Identity>();

  /**
   * Returns the key of this token, expired or not. Timing reveals nothing about other tokens: the
   * lookup compares a hash of this one, which a client cannot choose.
   */
  find(token: string): Identity | undefined {
    return this.#byHash.get(tokenHash(token));
  }

  /**
   * Replaces all keys. A key that existed before keeps its identity.
   * @param slots of their names in the metrics; a name that had none never gets one
   */
  replace(entries: readonly KeyEntry[], slots: MetricSlots = IMPLICIT_SLOTS): void {
    const old = this.#byHash;
    const cellsByName = keyCellsByName(slots);
    this.#byHash = new Map(
      entries.map(({ sha256, name, endsAtMs, rate, streams }) => {
        const known = old.get(sha256);
        if (known === undefined || known.name !== name) {
          const keyCells = cellsByName.get(name) ?? OTHER_KEY_CELLS;
          const permitted = streams && new Set(streams);
          return [sha256, new Identity(name, endsAtMs, rate, permitted, keyCells)];
        }
        known.endsAtMs = endsAtMs;
        if (!isSameRate(known.rate, rate)) known.rate = rate;
        if (!isSameSet(known.streams, streams)) known.streams = streams && new Set(streams);
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

function isSameSet(set: ReadonlySet<string> | undefined, names: readonly string[] | undefined) {
  if (set === undefined || names === undefined) return set === names;
  return set.size === names.length && names.every((name) => set.has(name));
}
