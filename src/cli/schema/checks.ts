/** Stored events and dead letters against a new schema. */
import { EVENT_CODES } from '../../common/errors.ts';
import {
  DEAD_LETTER_HEADERS,
  hasHeader,
  lastHeader,
  STREAM_HEADER,
} from '../../kafka/record-headers.ts';
import { eventOrProblem } from '../../kafka/record-value.ts';
import type { Validator } from '../../worker/intake/validator.ts';
import { type ListenedRecord, shown } from '../listen/format.ts';
import { type FailedRecord, Tally, type TallyOptions } from './tally.ts';

const TRUNCATED = 'truncated: the dead letter is not the whole event';
/** Code of the dead letters that another schema may accept. */
const SCHEMA_CODE = 'schema';
/** Code of dead letters whose header is missing or names none. */
const UNKNOWN_CODE = 'unknown';

export interface StoredEventsOptions extends TallyOptions {
  readonly next: Validator;
  /** The schema of the running gateway; undefined = not known. */
  readonly current: Validator | undefined;
  /** Other streams with the same topic, whose records are skipped where a header names them. */
  readonly otherStreams: ReadonlySet<string>;
}

/** Results of the records in the topic of a stream. */
export class StoredEvents {
  readonly tally: Tally;
  readonly #options: StoredEventsOptions;
  #newlyFailing = 0;
  #newlyPassing = 0;
  #withoutValue = 0;
  #ofOtherStreams = 0;

  constructor(options: StoredEventsOptions) {
    this.#options = options;
    this.tally = new Tally(options);
  }

  /** Events that pass the current schema and fail the new one; undefined = not known. */
  get newlyFailing(): number | undefined {
    return this.#options.current && this.#newlyFailing;
  }

  /** Events that fail the current schema and pass the new one; undefined = not known. */
  get newlyPassing(): number | undefined {
    return this.#options.current && this.#newlyPassing;
  }

  /** Records without a value, as compacted topics have them: they are no events. */
  get withoutValue(): number {
    return this.#withoutValue;
  }

  get ofOtherStreams(): number {
    return this.#ofOtherStreams;
  }

  add(record: ListenedRecord): void {
    const { next, current, otherStreams } = this.#options;
    if (record.value.bytes === null) {
      this.#withoutValue++;
      return;
    }
    if (otherStreams.has(lastHeader(record.headers, STREAM_HEADER) ?? '')) {
      this.#ofOtherStreams++;
      return;
    }
    const event = eventOrProblem(record.value);
    const problem = typeof event === 'string' ? event : next(event);
    if (problem === undefined) this.tally.pass();
    else this.tally.fail(problem, failedOf(record));
    if (current === undefined || typeof event === 'string') return;
    const passes = current(event) === undefined;
    if (passes && problem !== undefined) this.#newlyFailing++;
    if (!passes && problem === undefined) this.#newlyPassing++;
  }
}

export interface DeadLettersOptions extends TallyOptions {
  readonly next: Validator;
  readonly stream: string;
}

/** Results of the dead letters of a stream that its schema has rejected. */
export class DeadLetters {
  readonly tally: Tally;
  readonly #options: DeadLettersOptions;
  readonly #otherCodes = new Map<string, number>();
  #ofOtherStreams = 0;

  constructor(options: DeadLettersOptions) {
    this.#options = options;
    this.tally = new Tally(options);
  }

  /** Dead letters of the stream that no schema makes valid, by code. */
  get otherCodes(): ReadonlyMap<string, number> {
    return this.#otherCodes;
  }

  /** Those of other streams, and of events that belong to no stream. */
  get ofOtherStreams(): number {
    return this.#ofOtherStreams;
  }

  add(record: ListenedRecord): void {
    const { next, stream } = this.#options;
    const { headers } = record;
    if (lastHeader(headers, STREAM_HEADER) !== stream) {
      this.#ofOtherStreams++;
      return;
    }
    const code = lastHeader(headers, DEAD_LETTER_HEADERS.code) ?? '';
    if (code !== SCHEMA_CODE) {
      const known = Object.hasOwn(EVENT_CODES, code) ? code : UNKNOWN_CODE;
      this.#otherCodes.set(known, (this.#otherCodes.get(known) ?? 0) + 1);
      return;
    }
    const problem = hasHeader(headers, DEAD_LETTER_HEADERS.truncated)
      ? TRUNCATED
      : problemOf(record, next);
    if (problem === undefined) this.tally.pass();
    else this.tally.fail(problem, failedOf(record));
  }
}

function problemOf({ value }: ListenedRecord, validate: Validator): string | undefined {
  const event = eventOrProblem(value);
  return typeof event === 'string' ? event : validate(event);
}

function failedOf({ partition, offset, value }: ListenedRecord): FailedRecord {
  return { partition, offset, text: () => shown(value.bytes) };
}
