import { type Counters, cell } from '../../metrics/counters.ts';
import type { NoKeyReason } from '../decoder/key-field.ts';
import type { Faults } from '../faults.ts';

const WITHOUT_KEY = cell('forebay_events_without_key_total');

/** Counts events accepted without a key, and reports each reason once. */
export class KeylessEvents {
  readonly #keyField: string;
  readonly #counters: Counters;
  readonly #faults: Pick<Faults, 'warnOnce'>;
  readonly #reported = new Set<NoKeyReason>();

  constructor(keyField: string, counters: Counters, faults: Pick<Faults, 'warnOnce'>) {
    this.#keyField = keyField;
    this.#counters = counters;
    this.#faults = faults;
  }

  count(reason: NoKeyReason): void {
    this.#counters.add(WITHOUT_KEY);
    if (this.#reported.has(reason)) return;
    this.#reported.add(reason);
    this.#faults.warnOnce(reason, { field: this.#keyField, reason }, 'event has no key');
  }
}
