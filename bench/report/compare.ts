/**
 * The recorded baseline, and the comparison of a run with it. With m = the median, s = (max - min)
 * / median of the runs:
 *
 *   change    = m now / m recorded, or its inverse for a figure whose goal is `least`
 *   tolerance = 1.5 x the mean of s now and s recorded, at least 15%, at most 50%
 *   worse     = change > 1 + tolerance; better = change < 1 / (1 + tolerance)
 *
 * The spread of three rounds is 1.7 standard deviations, and medians of two runs differ by one: 1.5
 * spreads are 2.7 times that. The lower bound is the drift of a machine between runs; the upper one
 * keeps a noisy run from passing everything. A single round has no spread; 20% is assumed.
 */
import { commitOf, machineOf, type RunFacts } from './facts.ts';
import type { Results } from './markdown.ts';
import { statsOf } from './stats.ts';

const TOLERANCE_LEAST = 0.15;
const SPREADS = 1.5;
const TOLERANCE_MOST = 0.5;
const SPREAD_OF_ONE = 0.2;

export interface Baseline {
  readonly machine: string;
  readonly commit: string;
  /** Keys are `scenario: figure`. */
  readonly figures: Readonly<Record<string, Recorded>>;
}

export interface Recorded {
  readonly median: number;
  readonly spread: number;
}

export interface Comparison {
  readonly name: string;
  /** Undefined = not in the baseline. */
  readonly recorded: number | undefined;
  /** Undefined = not in the run. */
  readonly now: number | undefined;
  /** Above 1 = more expensive, whatever the goal; undefined if a value is missing. */
  readonly change: number | undefined;
  readonly tolerance: number | undefined;
  readonly status: 'same' | 'worse' | 'better' | 'missing' | 'new';
}

interface Checked extends Recorded {
  readonly greaterIsBetter: boolean;
}

/** @throws Error for a checked figure that is not a ratio: not above 0, or without values */
export function baselineOf(results: Results, facts: RunFacts): Baseline {
  const checked = [...checkedFigures(results)].sort(([a], [b]) => (a < b ? -1 : 1));
  const figures = checked.map(([name, { median, spread }]) => {
    return [name, { median: short(median), spread: short(spread) }] as const;
  });
  const { machine, commit } = { machine: machineOf(facts), commit: commitOf(facts) };
  return { machine, commit, figures: Object.fromEntries(figures) };
}

/** Compares figures in the order of their names. @throws Error as {@link baselineOf} */
export function compare(baseline: Baseline, results: Results): Comparison[] {
  const checked = checkedFigures(results);
  const names = new Set([...Object.keys(baseline.figures), ...checked.keys()]);
  return [...names].sort().map((name) => {
    const [recorded, now] = [baseline.figures[name], checked.get(name)];
    const figure = { name, recorded: recorded?.median, now: now?.median };
    if (recorded === undefined || now === undefined) {
      const status = recorded === undefined ? 'new' : 'missing';
      return { ...figure, change: undefined, tolerance: undefined, status };
    }
    const ratio = now.median / recorded.median;
    const change = now.greaterIsBetter ? 1 / ratio : ratio;
    const noise = (SPREADS * (recorded.spread + now.spread)) / 2;
    const tolerance = Math.min(TOLERANCE_MOST, Math.max(TOLERANCE_LEAST, noise));
    return { ...figure, change, tolerance, status: verdictOf(change, tolerance) };
  });
}

function verdictOf(change: number, tolerance: number): Comparison['status'] {
  if (change > 1 + tolerance) return 'worse';
  return change < 1 / (1 + tolerance) ? 'better' : 'same';
}

/** A figure without a goal is a cost: lower is better. */
function checkedFigures(results: Results): Map<string, Checked> {
  const found = new Map<string, Checked>();
  for (const [scenario, { figures }] of results) {
    for (const { name, values, goal, checked } of figures) {
      if (!checked) continue;
      const key = `${scenario}: ${name}`;
      if (values.length === 0 || values.some((value) => !(value > 0 && value < Infinity))) {
        throw new Error(`${key} is not a ratio: ${values.join(', ') || 'no values'}`);
      }
      const greaterIsBetter = goal !== undefined && 'least' in goal;
      const { median, spread } = statsOf(values);
      const known = values.length === 1 ? SPREAD_OF_ONE : spread;
      found.set(key, { median, spread: known, greaterIsBetter });
    }
  }
  return found;
}

function short(value: number): number {
  return Number(value.toPrecision(4));
}
