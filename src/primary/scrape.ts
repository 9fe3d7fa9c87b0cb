import type { Registry } from 'prom-client';
import type { MetricTotals } from './metric-totals.ts';
import type { PrimaryFacts } from './registry.ts';

/** Content of /metrics. The registry is loaded at the first scrape: it would delay the start. */
export class Scrape {
  readonly #totals: MetricTotals;
  readonly #facts: PrimaryFacts;
  #registry: Promise<Registry> | undefined;

  constructor(totals: MetricTotals, facts: PrimaryFacts) {
    this.#totals = totals;
    this.#facts = facts;
  }

  /** Reads the current values. */
  async read(): Promise<{ contentType: string; text: string }> {
    this.#registry ??= import('./registry.ts').then(({ buildRegistry }) =>
      buildRegistry(this.#totals, this.#facts),
    );
    const registry = await this.#registry;
    return { contentType: registry.contentType, text: await registry.metrics() };
  }
}
