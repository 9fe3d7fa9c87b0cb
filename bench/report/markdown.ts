/** Text of bench/RESULTS.md. */
import type { Figure, Result } from '../result.ts';
import { commitOf, machineOf, type RunFacts } from './facts.ts';
import { percent, shortNumber } from './number.ts';
import { statsOf } from './stats.ts';

export type Results = ReadonlyMap<string, Result>;

/** Heading of the scenarios outside the suite. */
const BY_NAME = '\n## Scenarios run by name\n';

/**
 * Returns the page of a suite run.
 * @param results by scenario, in display order
 * @param previous page so far: the sections of scenarios that ran by name stay
 */
export function resultsMarkdown(results: Results, facts: RunFacts, previous = ''): string {
  const lines = [
    ...HEAD,
    '',
    ...factsTable(facts),
    `| goals | ${goalsOf(results)} |`,
    ...[...results].flatMap(([name, result]) => sectionOf(name, result)),
  ];
  return `${lines.join('\n')}\n${partsOf(previous).byName}`;
}

/**
 * Returns the page with one scenario that ran by name: its section replaces the previous one, or
 * joins the others in the order of names.
 * @param previous page so far; empty if there is none
 */
export function pageWithSection(
  previous: string,
  name: string,
  result: Result,
  facts: RunFacts,
): string {
  const { suite, byName } = partsOf(previous);
  const title = `### ${cell(name)}\n`;
  const [, ...known] = byName.split(/\n(?=### )/);
  const others = known.filter((section) => !section.startsWith(title));
  const [, ...lines] = sectionOf(name, result, facts);
  const sections = [...others, `${lines.join('\n')}\n`].sort();
  return `${suite || `${HEAD.join('\n')}\n`}${BY_NAME}\n${sections.join('\n')}`;
}

/** Splits a page before the heading of the scenarios outside the suite. */
function partsOf(page: string): { readonly suite: string; readonly byName: string } {
  const at = page.indexOf(BY_NAME);
  return at < 0
    ? { suite: page, byName: '' }
    : { suite: page.slice(0, at), byName: page.slice(at) };
}

const HEAD = [
  '<!-- Written by `make bench`; the next run replaces it. -->',
  '# Results',
  '',
  'Medians of interleaved runs; spread = minimum to maximum, and their difference in percent of the',
  'median. How to read them:',
  '[docs/benchmarks.md](../docs/benchmarks.md).',
];

function factsTable(facts: RunFacts): string[] {
  return [
    '| | |',
    '|---|---|',
    ...machineRows(facts),
    `| commit | ${cell(commitOf(facts))} |`,
    `| date | ${facts.date} UTC |`,
  ];
}

/** Returns the rows for the machine and versions. */
export function machineRows(facts: RunFacts): string[] {
  const versions = [
    `Node.js ${facts.node}`,
    `uWebSockets.js ${facts.uws}`,
    `ws ${facts.ws}`,
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

/** @param facts of a run of this scenario alone, which differ from those of the page */
function sectionOf(name: string, result: Result, facts?: RunFacts): string[] {
  const { setup, figures, plots = [], problems } = result;
  const title = cell(name);
  const head = facts === undefined ? [`## ${title}`] : [`### ${title}`, '', ...factsTable(facts)];
  const lines = ['', ...head, '', setup];
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
