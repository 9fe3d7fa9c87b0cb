/** Comparison with the baseline, for a terminal. */
import { table } from '../table.ts';
import { type Baseline, type Comparison, compare } from './compare.ts';
import { commitOf, machineOf } from './facts.ts';
import { percent, shortNumber } from './number.ts';
import type { LastRun } from './report.ts';

export interface BaselineCheck {
  readonly text: string;
  readonly passed: boolean;
}

/** Passes if no figure is worse; also lists missing and new ones. @throws Error as `compare` */
export function checkBaseline(baseline: Baseline, { results, facts }: LastRun): BaselineCheck {
  const comparisons = compare(baseline, results);
  const head = ['figure', 'recorded', 'now', 'change', 'tolerance', ''];
  const count = (status: Comparison['status']) =>
    comparisons.filter((comparison) => comparison.status === status).length;
  const listed = (['worse', 'better', 'missing', 'new'] as const).filter((name) => count(name) > 0);
  const lines = [
    table(head, comparisons.map(row)),
    '',
    `recorded: ${baseline.commit}, ${baseline.machine}`,
    `now:      ${commitOf(facts)}, ${machineOf(facts)}`,
    listed.length === 0 ? 'no changes' : listed.map((name) => `${count(name)} ${name}`).join(', '),
  ];
  return { text: lines.join('\n'), passed: count('worse') === 0 };
}

function row({ name, recorded, now, change, tolerance, status }: Comparison): string[] {
  const number = (value: number | undefined) => (value === undefined ? '–' : shortNumber(value));
  const signed = change === undefined ? '–' : `${change < 1 ? '' : '+'}${percent(change - 1)}`;
  const noise = tolerance === undefined ? '–' : percent(tolerance);
  return [name, number(recorded), number(now), signed, noise, status];
}
