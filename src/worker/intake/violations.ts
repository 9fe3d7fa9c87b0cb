import type { JsonObject } from '../../common/json-object.ts';
import { type Logger, SampledLog } from '../../logging/logger.ts';
import { type Counters, cell } from '../../metrics/counters.ts';
import type { ViolationRecorder } from '../violation-recorder.ts';

/** Counters, log, and the list of violations for the live view. */
export interface ViolationReporting {
  readonly counters: Counters;
  readonly log: Pick<Logger, 'warn'>;
  readonly violations?: Pick<ViolationRecorder, 'record'> | undefined;
}

const WARNINGS = cell('forebay_schema_warnings_total');

/** Counts events that are stored although they violate the schema of their stream. */
export class Violations {
  readonly #stream: string;
  readonly #cells: number;
  readonly #reporting: ViolationReporting;
  readonly #sampled = new SampledLog();

  /**
   * @param stream its name
   * @param cells offset of its cells in the metrics
   */
  constructor(stream: string, cells: number, reporting: ViolationReporting) {
    this.#stream = stream;
    this.#cells = cells;
    this.#reporting = reporting;
  }

  /** Counts an event. @param reason message of its validator */
  count(reason: string, event: JsonObject): void {
    const { counters, log, violations } = this.#reporting;
    counters.add(WARNINGS + this.#cells);
    violations?.record(this.#cells, 'warn', 'schema', reason, event);
    const stream = this.#stream;
    this.#sampled.line(stream, (held) =>
      log.warn({ stream, reason, held }, 'event accepted despite a schema error'),
    );
  }
}
