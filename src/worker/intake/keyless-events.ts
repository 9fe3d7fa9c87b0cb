import { type Counters, cell } from '../../metrics/counters.ts';
import type { NoKeyReason } from '../decoder/key-field.ts';
import type { Faults } from '../faults.ts';

const WITHOUT_KEY = cell('forebay_events_without_key_total');

/** Counts events accepted without a key, and reports each reason once. */
export class KeylessEvents {
  readonly #keyField: string;
  readonly #counters: Counters;
  readonly #faults: Pick<Faults, 'warnOnce'>;
  readonly #stream: string | undefined;
  readonly #reported = new Set<NoKeyReason>();

  /** @param stream undefined without a stream file */
  constructor(
    keyField: string,
    counters: Counters,
    faults: Pick<Faults, 'warnOnce'>,
    stream?: string,
  ) {
    this.#keyField = keyField;
    this.#counters = counters;
    this.#faults = faults;
    this.#stream = stream;
  }

  count(reason: NoKeyReason): void {
    this.#counters.add(WITHOUT_KEY);
    if (this.#reported.has(reason)) return;
    this.#reported.add(reason);
    const stream = this.#stream;
    const key = stream === undefined ? reason : `${stream} ${reason}`;
    const named = stream === undefined ? {} : { stream };
    this.#faults.warnOnce(key, { ...named, field: this.#keyField, reason }, 'event has no key');
  }
}
