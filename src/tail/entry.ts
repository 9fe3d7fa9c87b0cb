/** Events as the live tail shows them. */
import type { EventCode } from '../common/errors.ts';
import type { Outcome, TailFilter } from './filter.ts';

/** A viewer of the live tail, as the workers know it. */
export interface TailViewer {
  /** Never used again. */
  readonly id: number;
  readonly filter: TailFilter;
}

/** A violation of the schema. */
export interface ShownViolation {
  /** JSON pointer of the violating part of the event; '' = the event. */
  readonly path: string;
  readonly message: string;
  /** Location of the keyword in the schema; absent = not known. */
  readonly schema?: string;
}

/** The outcome of one event, or of a frame that was rejected as a whole. */
export interface TailEntry {
  /** ms since 1970 */
  readonly time: number;
  readonly outcome: Outcome;
  /** `(none)` = it has no stream. */
  readonly stream: string;
  readonly code?: EventCode | undefined;
  readonly reason?: string | undefined;
  /** Location of the first violation of the schema, as a JSON pointer. */
  at?: string | undefined;
  /** Name of the sender; absent = without credentials. */
  readonly identity?: string | undefined;
  readonly transport: 'ws' | 'http';
  readonly requestId?: string | undefined;
  /** Number of the event in its frame or body. */
  readonly index?: number | undefined;
  /** Events of a frame that was rejected as a whole, or whose sender has waited for too long. */
  readonly events?: number | undefined;
  /** Size of the event as it was received, or is stored. */
  readonly bytes?: number | undefined;
  /** Key of its record, or its type. */
  readonly key?: string | undefined;
  readonly partition?: number | undefined;
  /** It was stored after its sender had received `timeout`. */
  readonly isLate?: true | undefined;
  /** The event with types in place of hidden values; absent = it was not kept, or is no JSON. */
  readonly event?: unknown;
  /** Bytes that are no JSON, as text; only if no value is hidden. */
  readonly raw?: string | undefined;
  /** JSON pointers of the values that are types in {@link event}; `all` = every value. */
  readonly redacted?: 'all' | readonly string[] | undefined;
  /** A part of the event was left out. */
  readonly isCut?: true | undefined;
  violations?: readonly ShownViolation[] | undefined;
  /** Further violations. */
  violationsOmitted?: number | undefined;
  /** Reason why only the first violation is known. */
  unexplained?: string | undefined;
}

/** Events for viewers, and the number of those that were left out, from one worker. */
export interface TailReport {
  readonly entries: readonly {
    /** Ids of the viewers that receive it. */
    readonly viewers: readonly number[];
    /** A {@link TailEntry} as JSON. */
    readonly json: string;
  }[];
  /** By viewer: events that match its filter, as far as they were examined, and are not shown. */
  readonly skipped: readonly (readonly [viewer: number, events: number])[];
}
