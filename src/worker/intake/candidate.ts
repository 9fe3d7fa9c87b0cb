/**
 * Candidate schema of a stream: evaluated on its events alongside the schema in use, and only
 * counted. It never changes the result of an event.
 */
import type { JsonObject } from '../../common/json-object.ts';
import { type Logger, SampledLog } from '../../logging/logger.ts';
import { type Counters, cell } from '../../metrics/counters.ts';
import type { ViolationRecorder } from '../violation-recorder.ts';
import { DutyCycle } from './duty-cycle.ts';
import type { Validator } from './validator.ts';

const EVALUATED = cell('forebay_schema_candidate_evaluated_total');
const FAILURES = cell('forebay_schema_candidate_failures_total');

/**
 * Maximum share of a worker's time that evaluations may take, for all candidates together. Their
 * garbage and their use of CPU caches cost about as much again or more: together up to about 5%.
 */
const SHARE = 0.02;

/** Counters and log of results. */
export interface CandidateReporting {
  readonly counters: Counters;
  readonly log: Pick<Logger, 'info'>;
  /** List of violations for the live view. */
  readonly violations?: Pick<ViolationRecorder, 'record'> | undefined;
}

export class Candidate {
  readonly #stream: string;
  readonly #cells: number;
  readonly #validate: Validator;
  readonly #reporting: CandidateReporting;
  readonly #duty: DutyCycle;
  readonly #sampled = new SampledLog();

  /**
   * @param stream its name
   * @param cells offset of its cells in the metrics
   * @param now monotonic clock, ms
   */
  constructor(
    stream: string,
    cells: number,
    validate: Validator,
    reporting: CandidateReporting,
    now?: () => number,
  ) {
    this.#stream = stream;
    this.#cells = cells;
    this.#validate = validate;
    this.#reporting = reporting;
    this.#duty = new DutyCycle(SHARE, now);
  }

  /** Sets the number of candidates of the worker, which share their time equally. */
  set count(candidates: number) {
    this.#duty.share = SHARE / candidates;
  }

  /**
   * Evaluates a parsed event, if there is time.
   * @param isAccepted whether the schema in use accepts it
   */
  offer(event: JsonObject, isAccepted: boolean): void {
    if (!this.#duty.begin()) return;
    this.#count(event, this.#problemOf(event), isAccepted);
    this.#duty.end();
  }

  /** {@link offer} for an accepted event that is not parsed: `bytes[start, end)`, valid JSON. */
  offerBytes(bytes: Buffer, start: number, end: number): void {
    if (!this.#duty.begin()) return;
    const event = JSON.parse(bytes.toString('utf8', start, end)) as JsonObject;
    this.#count(event, this.#problemOf(event), true);
    this.#duty.end();
  }

  #problemOf(event: JsonObject): string | undefined {
    try {
      return this.#validate(event);
    } catch {
      return 'evaluation failed';
    }
  }

  #count(event: JsonObject, reason: string | undefined, isAccepted: boolean): void {
    const { counters, log, violations } = this.#reporting;
    counters.add(EVALUATED + this.#cells);
    if (reason === undefined || !isAccepted) return;
    counters.add(FAILURES + this.#cells);
    violations?.record(this.#cells, 'candidate', 'schema', reason, event);
    const stream = this.#stream;
    this.#sampled.line(stream, (held) =>
      log.info({ stream, reason, held }, 'event does not match the candidate schema'),
    );
  }
}
