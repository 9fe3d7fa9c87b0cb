/** Output of a suite run: the page, plots, and figures for the baseline. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../deploy/kafka/jars.ts';
import type { Result } from '../result.ts';
import type { RunFacts } from './facts.ts';
import { type Results, resultsMarkdown } from './markdown.ts';
import { plotSvg } from './plot.ts';

const BENCH = join(ROOT, 'bench');

/** Results of the last suite run. */
export interface LastRun {
  readonly facts: RunFacts;
  readonly results: Results;
}

/**
 * Writes RESULTS.md, its plots in results/, and out/results.json.
 * @param folder replaces bench/ in tests
 * @throws Error if two plots have the same name
 */
export function writeReport(results: Results, facts: RunFacts, folder = BENCH): void {
  const plots = [...results.values()].flatMap((result) => result.plots ?? []);
  const twice = plots.find(({ file }, index) => plots.findIndex((p) => p.file === file) < index);
  if (twice !== undefined) throw new Error(`several plots are named ${twice.file}`);
  const [pictures, out] = [join(folder, 'results'), join(folder, 'out')];
  for (const made of [pictures, out]) mkdirSync(made, { recursive: true });
  // First the results, which only another run could reproduce.
  const kept = { facts, results: Object.fromEntries(results) };
  writeFileSync(join(out, 'results.json'), `${JSON.stringify(kept, null, 2)}\n`);
  for (const name of readdirSync(pictures)) {
    if (name.endsWith('.svg')) rmSync(join(pictures, name));
  }
  for (const plot of plots) writeFileSync(join(pictures, `${plot.file}.svg`), plotSvg(plot));
  // Violations may contain absolute paths of this machine.
  const page = resultsMarkdown(results, facts).replaceAll(`${ROOT}/`, '');
  writeFileSync(join(folder, 'RESULTS.md'), page);
}

/** @throws Error if there is no suite run */
export function readLastRun(folder = BENCH): LastRun {
  let text: string;
  try {
    text = readFileSync(join(folder, 'out/results.json'), 'utf8');
  } catch {
    throw new Error('no results: run make bench');
  }
  const { facts, results } = JSON.parse(text) as {
    facts: RunFacts;
    results: Record<string, Result>;
  };
  return { facts, results: new Map(Object.entries(results)) };
}

/** Keeps an aborted suite from being mistaken for the previous one. */
export function forgetLastRun(folder = BENCH): void {
  rmSync(join(folder, 'out/results.json'), { force: true });
}
