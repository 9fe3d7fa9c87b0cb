/** Verification of the guarantees after a run. */
import type { Account } from './outcome.ts';

/** Observations of one gateway process. */
export interface Observations {
  /** Counters that decreased. */
  readonly decreases: readonly string[];
  /** Nonzero values of `forebay_events_unaccounted`, under load and at rest. */
  readonly unaccounted: readonly number[];
  /** Failed scrapes. */
  readonly unanswered: number;
  readonly residentBytesMax: number;
}

export interface Evidence {
  readonly account: Account;
  readonly seen: readonly Observations[];
  /** Bound for a worker. */
  readonly residentBytesBound: number;
  /** Protocol violations by the server. */
  readonly violations: readonly string[];
  /** Events of acknowledged clients without a result. */
  readonly unsettled: number;
  /** The scenario ended a gateway process: plain events may be lost with it. */
  readonly plainMayBeLost: boolean;
  readonly plain: { readonly sent: number; readonly stored: number; readonly dropped: number };
}

/** Counts of the ledger that must be 0, and their meaning. */
const ZERO: readonly (readonly [keyof Account, string])[] = [
  ['missing', 'acknowledged but not stored'],
  ['doubled', 'stored twice by the gateway'],
  ['phantom', 'stored but never sent'],
  ['refusedStored', 'rejected but stored'],
  ['wrongKey', 'stored with a wrong key'],
  ['disordered', 'stored out of order'],
  ['unmarked', 'stored more than once without the mark of a possible repeat'],
  ['wrongMark', 'stored with a mark that their sender did not declare, or without a declared one'],
];
const EXAMPLES_MAX = 3;

/** @returns each violation in words; none = all guarantees held */
export function verify(evidence: Evidence): string[] {
  const { account, seen, residentBytesBound, violations, unsettled, plainMayBeLost, plain } =
    evidence;
  const problems = ZERO.filter(([list]) => account[list] > 0).map(
    ([list, meaning]) => `${account[list]} events ${meaning}`,
  );
  for (const { decreases, unaccounted, unanswered, residentBytesMax } of seen) {
    problems.push(...listed('counters decreased', decreases));
    problems.push(...listed('nonzero forebay_events_unaccounted', unaccounted));
    if (unanswered > 0) problems.push(`${unanswered} scrapes failed`);
    if (residentBytesMax > residentBytesBound) {
      problems.push(`worker RSS of ${residentBytesMax} bytes exceeds ${residentBytesBound}`);
    }
  }
  problems.push(...listed('protocol violations', violations));
  if (unsettled > 0)
    problems.push(`${unsettled} events of acknowledged clients were never settled`);
  const unaccounted = plain.sent - plain.stored - plain.dropped;
  if (!plainMayBeLost && unaccounted > 0)
    problems.push(`${unaccounted} plain events neither stored nor counted as dropped`);
  return problems;
}

function listed(what: string, values: readonly (string | number)[]): string[] {
  if (values.length === 0) return [];
  const more = values.length > EXAMPLES_MAX ? ' …' : '';
  return [`${what} (${values.length}): ${values.slice(0, EXAMPLES_MAX).join('; ')}${more}`];
}
