/** Results of a scenario. */
import type { Reconciliation } from '../../testing/ledger.ts';
import type { RunFacts } from '../report/facts.ts';
import type { Figure } from '../result.ts';
import type { Setup } from './setup.ts';

/** Figures of the ledger; lists as counts. */
export type Account = {
  readonly [Field in Exclude<keyof Reconciliation, 'clean'>]: number;
} & {
  /** Ids stored more than once because a client retried. */
  readonly repeated: number;
};

/** One step of the schedule. */
export interface Step {
  /** Time since the load started. */
  readonly seconds: number;
  readonly what: string;
}

/** Repeated measurements, as a table. */
export interface Measurements {
  /** Explanation of the cells. */
  readonly legend: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Results of a scenario, stored as JSON and shown in the report. */
export interface Outcome {
  readonly name: string;
  readonly summary: string;
  readonly facts: RunFacts;
  /** Duration of the load. */
  readonly seconds: number;
  readonly eventsPerSecond: number;
  readonly setup: Setup;
  readonly schedule: readonly Step[];
  /** Undefined = the topic could not be read. */
  readonly account?: Account;
  readonly figures: readonly Figure[];
  readonly measurements?: Measurements;
  /** Violations; none = passed. */
  readonly problems: readonly string[];
}
