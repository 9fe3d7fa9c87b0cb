/** What is broken, on what, and what came of it. */
import type { Verdict } from '../../test/support/ledger.ts';
import type { RunFacts } from '../report/facts.ts';
import type { Figure } from '../result.ts';
import type { World } from './world.ts';

/** Faults on a schedule, with a name, for `make chaos SCENARIO=name`. */
export interface Scenario {
  readonly name: string;
  /** One line for lists: what is done to whom. */
  readonly summary: string;
  /** About how long it takes, for the same lists. */
  readonly minutes: number;
  readonly setup?: Setup;
  /** What has to be there before the gateway starts. */
  prepare?(): void;
  /**
   * Breaks things while the load goes on; the ledger is balanced afterwards.
   * @throws when a fault did not happen, or nothing goes on after it
   */
  run(world: World): Promise<void>;
}

/** How its world differs from the usual one. */
export interface Setup {
  /** Gateways, behind a balancer if there are two. */
  readonly instances?: 1 | 2;
  readonly workers?: number;
  /** The one gateway is behind a balancer too. */
  readonly balanced?: boolean;
  /** Clients speak TLS. */
  readonly secure?: boolean;
  /** Clients need an API key. */
  readonly keys?: boolean;
  /** Workers run on a core of their own, and all else on the others. */
  readonly pinned?: boolean;
  /** The gateway's settings. */
  readonly env?: Readonly<Record<string, string>>;
  /** Of Node.js, for the gateway. */
  readonly nodeArgs?: readonly string[];
  /** A command that becomes the gateway. */
  readonly wrapper?: readonly string[];
  /** Lines of server.properties. */
  readonly kafka?: Readonly<Record<string, string>>;
  /** The gateway reaches the brokers through fault proxies. */
  readonly proxied?: boolean;
  /** The names by which it does, through them; without: 127.0.0.1. */
  readonly names?: readonly string[];
  /** Files that have to be there. */
  readonly needs?: readonly string[];
  /** Share of the machine's rate; default 1. */
  readonly rate?: number;
  /** Length of `msg`; default 20. */
  readonly msgBytes?: number;
  /** The least time between two looks at the gateway; default 250 ms. */
  readonly watchMs?: number;
  /** Bound of the resident memory of a worker; default: its buffer + 100 MiB. */
  readonly residentMib?: number;
}

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

/** What came of a scenario: kept as JSON, and shown in the report. */
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
