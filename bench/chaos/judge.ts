/** Whether a run kept the promises. */
import type { Account } from './outcome.ts';

/** What was seen of one gateway process. */
export interface Seen {
  /** Counters that were lower than before. */
  readonly falls: readonly string[];
  /** Values of `forebay_events_unaccounted` other than 0, in passing and at rest. */
  readonly unaccounted: readonly number[];
  /** Scrapes that had no answer. */
  readonly unanswered: number;
  readonly residentBytesMax: number;
}

export interface Evidence {
  readonly account: Account;
  readonly seen: readonly Seen[];
  /** Of a worker. */
  readonly residentBytesBound: number;
  /** Breaches of the protocol by the server. */
  readonly violations: readonly string[];
  /** Events given to acknowledged clients that never heard of them. */
  readonly unheard: number;
  /** A process of a gateway ended by the scenario: plain events may go with it. */
  readonly died: boolean;
  readonly plain: { readonly sent: number; readonly stored: number; readonly dropped: number };
}

/** Counts of the ledger that must be 0, and what they mean. */
const ZERO: readonly (readonly [keyof Account, string])[] = [
  ['missing', 'acknowledged and not stored'],
  ['doubled', 'stored twice by the gateway'],
  ['phantom', 'stored and never sent'],
  ['refusedStored', 'stored although refused'],
  ['wrongKey', 'stored under another key'],
  ['disordered', 'stored out of order'],
];
const EXAMPLES_MAX = 3;

/** @returns each violation in words; none = all promises were kept */
export function judge(evidence: Evidence): string[] {
  const { account, seen, residentBytesBound, violations, unheard, died, plain } = evidence;
  const problems = ZERO.filter(([list]) => account[list] > 0).map(
    ([list, meaning]) => `${account[list]} events ${meaning}`,
  );
  for (const { falls, unaccounted, unanswered, residentBytesMax } of seen) {
    problems.push(...listed('counters fell', falls));
    problems.push(...listed('forebay_events_unaccounted was', unaccounted));
    if (unanswered > 0) problems.push(`${unanswered} scrapes had no answer`);
    if (residentBytesMax > residentBytesBound) {
      problems.push(`a worker took ${residentBytesMax} bytes, more than ${residentBytesBound}`);
    }
  }
  problems.push(...listed('breaches of the protocol', violations));
  if (unheard > 0) problems.push(`${unheard} events of acknowledged clients were never settled`);
  const silent = plain.sent - plain.stored - plain.dropped;
  if (!died && silent > 0) problems.push(`${silent} plain events neither stored nor counted`);
  return problems;
}

function listed(what: string, values: readonly (string | number)[]): string[] {
  if (values.length === 0) return [];
  const more = values.length > EXAMPLES_MAX ? ' …' : '';
  return [`${what} (${values.length}): ${values.slice(0, EXAMPLES_MAX).join('; ')}${more}`];
}
