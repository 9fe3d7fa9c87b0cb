/** How a run stands to the baseline, for a terminal. */
import { table } from '../table.ts';
import { type Baseline, type Comparison, compare } from './compare.ts';
import { commitOf, machineOf } from './facts.ts';
import { percent, shortNumber } from './number.ts';
import type { LastRun } from './report.ts';

export interface Verdict {
  readonly text: string;
  readonly passed: boolean;
}

/** Passed = nothing is worse; what is missing or new is told. @throws Error as `compare` */
export function judge(baseline: Baseline, { results, facts }: LastRun): Verdict {
  const comparisons = compare(baseline, results);
  const head = ['figure', 'recorded', 'now', 'change', 'tolerance', ''];
  const count = (verdict: Comparison['verdict']) =>
    comparisons.filter((comparison) => comparison.verdict === verdict).length;
  const told = (['worse', 'better', 'missing', 'new'] as const).filter((name) => count(name) > 0);
  const lines = [
    table(head, comparisons.map(row)),
    '',
    `recorded: ${baseline.commit}, ${baseline.machine}`,
    `now:      ${commitOf(facts)}, ${machineOf(facts)}`,
    told.length === 0 ? 'all the same' : told.map((name) => `${count(name)} ${name}`).join(', '),
  ];
  return { text: lines.join('\n'), passed: count('worse') === 0 };
}

function row({ name, recorded, now, change, tolerance, verdict }: Comparison): string[] {
  const number = (value: number | undefined) => (value === undefined ? '–' : shortNumber(value));
  const signed = change === undefined ? '–' : `${change < 1 ? '' : '+'}${percent(change - 1)}`;
  const noise = tolerance === undefined ? '–' : percent(tolerance);
  return [name, number(recorded), number(now), signed, noise, verdict];
}
