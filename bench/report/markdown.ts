/** Text of bench/RESULTS.md. */
import type { Figure, Result } from '../result.ts';
import { commitOf, machineOf, type RunFacts } from './facts.ts';
import { percent, shortNumber } from './number.ts';
import { statsOf } from './stats.ts';

export type Results = ReadonlyMap<string, Result>;

/** @param results by scenario, in display order */
export function resultsMarkdown(results: Results, facts: RunFacts): string {
  const sections = [...results].map(([name, result]) => sectionOf(name, result));
  return `${[...headOf(results, facts), ...sections.flat()].join('\n')}\n`;
}

function headOf(results: Results, facts: RunFacts): string[] {
  return [
    '<!-- Written by `make bench`; the next run replaces it. -->',
    '# Results',
    '',
    'Medians of interleaved runs; spread = minimum to maximum, and their difference in percent of the',
    'median. How to read them:',
    '[docs/benchmarks.md](../docs/benchmarks.md).',
    '',
    '| | |',
    '|---|---|',
    ...machineRows(facts),
    `| commit | ${cell(commitOf(facts))} |`,
    `| date | ${facts.date} UTC |`,
    `| goals | ${goalsOf(results)} |`,
  ];
}

/** Returns the rows for the machine and versions. */
export function machineRows(facts: RunFacts): string[] {
  const versions = [
    `Node.js ${facts.node}`,
    `uWebSockets.js ${facts.uws}`,
    `kafkajs ${facts.kafkajs}`,
    `Kafka ${facts.kafka}`,
  ];
  return [
    `| machine | ${cell(machineOf(facts))}, ${facts.memoryGiB} GiB, ${cell(facts.kernel)} |`,
    `| versions | ${cell(versions.join(', '))} |`,
  ];
}

/** Returns the number of goals that are met, and those that are missed. */
function goalsOf(results: Results): string {
  const judged = [...results].flatMap(([scenario, { figures }]) =>
    figures.filter(({ goal }) => goal !== undefined).map((figure) => ({ scenario, figure })),
  );
  const missed = judged
    .filter(({ figure }) => verdictOf(figure) !== 'met')
    .map(({ scenario, figure }) => cell(`${scenario}: ${figure.name}`));
  const sum = `${judged.length - missed.length} of ${judged.length} met`;
  return missed.length === 0 ? sum : `${sum}; missed: ${missed.join(', ')}`;
}

function sectionOf(name: string, { setup, figures, plots = [], problems }: Result): string[] {
  const lines = ['', `## ${cell(name)}`, '', setup];
  if (problems.length > 0) {
    lines.push('', '**Violations, the figures are invalid:**', '');
    lines.push(...problems.map((problem) => `* ${cell(problem)}`));
  }
  if (figures.length > 0) {
    lines.push('', '| figure | median | spread | goal | |', '|---|---:|---:|---:|---|');
    lines.push(...figures.map(rowOf));
  }
  for (const { file, title } of plots) lines.push('', `![${cell(title)}](results/${file}.svg)`);
  return lines;
}

function rowOf(figure: Figure): string {
  const { name, unit, values, goal } = figure;
  const usable = values.filter(Number.isFinite);
  const cells =
    usable.length === 0
      ? ['–', '']
      : [`${shortNumber(statsOf(usable).median)} ${unit}`, spreadOf(usable)];
  const goalCell = goal === undefined ? '' : goalText(goal);
  return `| ${[name, ...cells, goalCell, verdictOf(figure)].map(cell).join(' | ')} |`;
}

/** Returns an empty string for a single run. */
function spreadOf(values: readonly number[]): string {
  if (values.length < 2) return '';
  const { least, greatest, spread } = statsOf(values);
  const relative = Number.isFinite(spread) ? ` (${percent(spread)})` : '';
  return `${shortNumber(least)} – ${shortNumber(greatest)}${relative}`;
}

export function goalText(goal: NonNullable<Figure['goal']>): string {
  return 'most' in goal ? `≤ ${shortNumber(goal.most)}` : `≥ ${shortNumber(goal.least)}`;
}

/** Compares the median. A missing value misses every goal. */
function verdictOf({ values, goal }: Figure): '' | 'met' | 'missed' {
  if (goal === undefined) return '';
  if (values.length === 0 || values.some((value) => !Number.isFinite(value))) return 'missed';
  const { median } = statsOf(values);
  const met = 'most' in goal ? median <= goal.most : median >= goal.least;
  return met ? 'met' : 'missed';
}

/** Escapes text that would end its cell, its line or its brackets. */
export function cell(text: string): string {
  return text.replaceAll(/[|[\]<]/g, '\\$&').replaceAll(/\s*\n\s*/g, ' ');
}
