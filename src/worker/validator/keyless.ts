import type { Logger } from '../../log.ts';
import { type Counters, cell } from '../../metrics/counters.ts';
import type { NoKey } from '../decoder/key-field.ts';

const WITHOUT_KEY = cell('forebay_events_without_key_total');

/** Counts events that are taken without a key, and logs each reason once. */
export class Keyless {
  readonly #keyField: string;
  readonly #counters: Counters;
  readonly #log: Pick<Logger, 'warn'>;
  readonly #logged = new Set<NoKey>();

  constructor(keyField: string, counters: Counters, log: Pick<Logger, 'warn'>) {
    this.#keyField = keyField;
    this.#counters = counters;
    this.#log = log;
  }

  count(reason: NoKey): void {
    this.#counters.add(WITHOUT_KEY);
    if (this.#logged.has(reason)) return;
    this.#logged.add(reason);
    this.#log.warn({ field: this.#keyField, reason }, 'event has no key');
  }
}
