import { shortNumber } from './report/number.ts';
import { statsOf } from './report/stats.ts';
import type { Figure } from './result.ts';

/** Formats columns; numbers are right-aligned. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ');
  return all.map(line).join('\n');
}

/** Formats figures with their spread and goals. */
export function figureTable(figures: readonly Figure[]): string {
  const head = ['figure', 'median', 'min', 'max', 'unit', 'goal', ''];
  return table(head, figures.map(rowOf));
}

function rowOf({ name, values, unit, goal }: Figure): string[] {
  const usable = values.filter(Number.isFinite);
  // A missing value misses every goal.
  if (usable.length < values.length || usable.length === 0) {
    return [name, '–', '', '', unit, ...status(Number.NaN, goal)];
  }
  const { median, least, greatest } = statsOf(usable);
  return [name, ...[median, least, greatest].map(shortNumber), unit, ...status(median, goal)];
}

function status(value: number, goal: Figure['goal']): [string, string] {
  if (goal === undefined) return ['', ''];
  if ('most' in goal) return [`≤ ${shortNumber(goal.most)}`, value <= goal.most ? 'met' : 'missed'];
  return [`≥ ${shortNumber(goal.least)}`, value >= goal.least ? 'met' : 'missed'];
}
