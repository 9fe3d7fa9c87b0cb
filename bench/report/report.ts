/** What a run of the suite leaves: a page, plots, and the figures for the baseline. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../deploy/kafka/jars.ts';
import type { Result } from '../result.ts';
import type { RunFacts } from './facts.ts';
import { type Results, resultsMarkdown } from './markdown.ts';
import { plotSvg } from './plot.ts';

const BENCH = join(ROOT, 'bench');

/** What the last run of the suite found. */
export interface LastRun {
  readonly facts: RunFacts;
  readonly results: Results;
}

/**
 * Writes RESULTS.md, its plots in results/, and out/results.json.
 * @param folder another one than bench/, for tests
 * @throws Error when two plots have one name
 */
export function writeReport(results: Results, facts: RunFacts, folder = BENCH): void {
  const plots = [...results.values()].flatMap((result) => result.plots ?? []);
  const twice = plots.find(({ file }, index) => plots.findIndex((p) => p.file === file) < index);
  if (twice !== undefined) throw new Error(`two plots are named ${twice.file}`);
  const [pictures, out] = [join(folder, 'results'), join(folder, 'out')];
  for (const made of [pictures, out]) mkdirSync(made, { recursive: true });
  // First what cannot be had again without another run.
  const kept = { facts, results: Object.fromEntries(results) };
  writeFileSync(join(out, 'results.json'), `${JSON.stringify(kept, null, 2)}\n`);
  for (const name of readdirSync(pictures)) {
    if (name.endsWith('.svg')) rmSync(join(pictures, name));
  }
  for (const plot of plots) writeFileSync(join(pictures, `${plot.file}.svg`), plotSvg(plot));
  // What went wrong may name files by their place on this machine.
  const page = resultsMarkdown(results, facts).replaceAll(`${ROOT}/`, '');
  writeFileSync(join(folder, 'RESULTS.md'), page);
}

/** @throws Error when no suite has run here */
export function readLastRun(folder = BENCH): LastRun {
  let text: string;
  try {
    text = readFileSync(join(folder, 'out/results.json'), 'utf8');
  } catch {
    throw new Error('no suite has run here: make bench');
  }
  const { facts, results } = JSON.parse(text) as {
    facts: RunFacts;
    results: Record<string, Result>;
  };
  return { facts, results: new Map(Object.entries(results)) };
}

/** So that a suite that ends too early is not taken for the one before. */
export function forgetLastRun(folder = BENCH): void {
  rmSync(join(folder, 'out/results.json'), { force: true });
}
