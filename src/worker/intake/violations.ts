import { type Logger, SampledLog } from '../../logging/logger.ts';
import { type Counters, cell } from '../../metrics/counters.ts';

const WARNINGS = cell('forebay_schema_warnings_total');

/** Counts events that are stored although they violate the schema of their stream. */
export class Violations {
  readonly #stream: string;
  readonly #cells: number;
  readonly #counters: Counters;
  readonly #log: Pick<Logger, 'warn'>;
  readonly #sampled = new SampledLog();

  /**
   * @param stream its name
   * @param cells offset of its cells in the metrics
   */
  constructor(stream: string, cells: number, counters: Counters, log: Pick<Logger, 'warn'>) {
    this.#stream = stream;
    this.#cells = cells;
    this.#counters = counters;
    this.#log = log;
  }

  count(reason: string): void {
    this.#counters.add(WARNINGS + this.#cells);
    const stream = this.#stream;
    this.#sampled.line(stream, (held) =>
      this.#log.warn({ stream, reason, held }, 'event accepted despite a schema error'),
    );
  }
}
