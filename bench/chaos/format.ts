/** Terminal output of an outcome. */
import { shortNumber } from '../report/number.ts';
import { figureTable, table } from '../table.ts';
import type { Account, Outcome } from './outcome.ts';

/** Formats the ledger; counts that must be 0 come last. */
export function accountLine(account: Account): string {
  const { sent, acknowledged, refused, stored, deleted, unacknowledgedStored, repeated } = account;
  const { missing, doubled, phantom, refusedStored, wrongKey, disordered } = account;
  // Absent in outcomes of earlier versions.
  const { marked = 0, unmarked = 0, wrongMark = 0 } = account;
  const gone = deleted > 0 ? `, deleted with the topic ${deleted}` : '';
  const marks = marked > 0 ? `, marked as possible repeats ${marked}` : '';
  const bad = refusedStored + wrongKey + disordered + unmarked + wrongMark;
  return (
    `sent ${sent}, acknowledged ${acknowledged}, rejected ${refused}, stored ${stored}` +
    ` (${unacknowledgedStored} without acknowledgement, ${repeated} duplicates from client retries)` +
    `${marks}${gone}; missing ${missing}, duplicated ${doubled}, phantom ${phantom}, other violations ${bad}`
  );
}

export function outcomeText(outcome: Outcome): string {
  const { account, figures, measurements, problems, name, seconds, eventsPerSecond } = outcome;
  const lines = [`${eventsPerSecond} events/s for ${seconds} s`];
  if (account !== undefined) lines.push(accountLine(account));
  if (figures.length > 0) lines.push(figureTable(figures));
  if (measurements !== undefined) {
    const { legend, head, rows } = measurements;
    lines.push(legend, table(head, rows));
  }
  lines.push(...missedGoals(outcome).map((figure) => `goal missed: ${figure}`));
  lines.push(...problems.map((problem) => `violation: ${problem}`));
  lines.push(`${name}: ${problems.length === 0 ? 'passed' : 'FAILED'}`);
  return lines.join('\n');
}

/** Returns the figures whose worst value misses their goal: `name: 2,100 ms`. */
export function missedGoals({ figures }: Pick<Outcome, 'figures'>): string[] {
  return figures.flatMap(({ name, unit, values, goal }) => {
    if (goal === undefined) return [];
    const missed = values.filter((value) =>
      'most' in goal ? !(value <= goal.most) : !(value >= goal.least),
    );
    return missed.map((value) => `${name}: ${shortNumber(value)} ${unit}`);
  });
}
