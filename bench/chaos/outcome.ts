/** Results of a scenario. */
import type { Verdict } from '../../testing/ledger.ts';
import type { RunFacts } from '../report/facts.ts';
import type { Figure } from '../result.ts';
import type { Setup } from './setup.ts';

/** The ledger's figures; lists as counts. */
export type Account = {
  readonly [Field in Exclude<keyof Verdict, 'clean'>]: number;
} & {
  /** Ids that are stored more than once, since a client sent them again. */
  readonly repeated: number;
};

/** Something that was done. */
export interface Step {
  /** Since the load began. */
  readonly seconds: number;
  readonly what: string;
}

/** What was measured again and again, as a table. */
export interface Measurements {
  /** What the cells mean, in a sentence. */
  readonly legend: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Results of a scenario, stored as JSON and shown in the report. */
export interface Outcome {
  readonly name: string;
  readonly summary: string;
  readonly facts: RunFacts;
  /** From the begin of the load to its end. */
  readonly seconds: number;
  readonly eventsPerSecond: number;
  readonly setup: Setup;
  readonly schedule: readonly Step[];
  /** None when the topic could not be read. */
  readonly account?: Account;
  readonly figures: readonly Figure[];
  readonly measurements?: Measurements;
  /** Violations: without any it has passed. */
  readonly problems: readonly string[];
}
