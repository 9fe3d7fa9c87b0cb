/**
 * Outcomes of runs, one file per scenario and transport: the latest one replaces the previous.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../deploy/kafka/jars.ts';
import { TRANSPORT } from '../../testing/gateway.ts';
import type { Outcome } from './outcome.ts';

const RESULTS_DIR = join(ROOT, 'bench/out', TRANSPORT === 'uws' ? 'chaos' : `chaos-${TRANSPORT}`);

/** The report of these outcomes. That of the default transport is part of the repository. */
export const REPORT_FILE =
  TRANSPORT === 'uws' ? join(ROOT, 'bench/CHAOS.md') : join(RESULTS_DIR, 'CHAOS.md');

export function saveOutcome(outcome: Outcome, folder = RESULTS_DIR): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${outcome.name}.json`), `${JSON.stringify(outcome, null, 2)}\n`);
}

/** Returns the stored outcomes by name. @throws Error if there is none */
export function loadOutcomes(folder = RESULTS_DIR): Map<string, Outcome> {
  let files: string[] = [];
  try {
    files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  } catch {
    // Nothing has run yet.
  }
  if (files.length === 0) throw new Error('no results: run make chaos');
  const outcomes = files.map(
    (file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Outcome,
  );
  return new Map(outcomes.map((outcome) => [outcome.name, outcome]));
}
