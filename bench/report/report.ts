/** Output of runs: the page, plots, and the suite's figures for the baseline. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../deploy/kafka/jars.ts';
import type { Plot, Result } from '../result.ts';
import type { RunFacts } from './facts.ts';
import { pageWithSection, type Results, resultsMarkdown } from './markdown.ts';
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
  const out = join(folder, 'out');
  mkdirSync(out, { recursive: true });
  // First the results, which only another run could reproduce.
  const kept = { facts, results: Object.fromEntries(results) };
  writeFileSync(join(out, 'results.json'), `${JSON.stringify(kept, null, 2)}\n`);
  writePage(resultsMarkdown(results, facts, readPage(folder)), plots, folder);
}

/**
 * Writes the section of a scenario that ran by name into RESULTS.md, and its plots; the results of
 * the suite stay, for the baseline too.
 * @param folder replaces bench/ in tests
 */
export function writeSection(name: string, result: Result, facts: RunFacts, folder = BENCH): void {
  const page = pageWithSection(readPage(folder), name, result, facts);
  writePage(page, result.plots ?? [], folder);
}

function readPage(folder: string): string {
  const file = join(folder, 'RESULTS.md');
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

/** Removes the plots that the page does not show. */
function writePage(page: string, plots: readonly Plot[], folder: string): void {
  const pictures = join(folder, 'results');
  mkdirSync(pictures, { recursive: true });
  for (const plot of plots) writeFileSync(join(pictures, `${plot.file}.svg`), plotSvg(plot));
  for (const name of readdirSync(pictures)) {
    if (name.endsWith('.svg') && !page.includes(`(results/${name})`)) rmSync(join(pictures, name));
  }
  // Violations may contain absolute paths of this machine.
  writeFileSync(join(folder, 'RESULTS.md'), page.replaceAll(`${ROOT}/`, ''));
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
