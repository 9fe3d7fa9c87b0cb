/** Outcomes of runs, one file per scenario: the newest one stays. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../deploy/kafka/jars.ts';
import type { Outcome } from './outcome.ts';

export const KEPT = join(ROOT, 'bench/out/chaos');

export function keep(outcome: Outcome, folder = KEPT): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${outcome.name}.json`), `${JSON.stringify(outcome, null, 2)}\n`);
}

/** Those that were kept, by name. @throws Error when there is none */
export function kept(folder = KEPT): Map<string, Outcome> {
  let files: string[] = [];
  try {
    files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  } catch {
    // Nothing has run yet.
  }
  if (files.length === 0) throw new Error('no scenario has run here: make chaos');
  const outcomes = files.map(
    (file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Outcome,
  );
  return new Map(outcomes.map((outcome) => [outcome.name, outcome]));
}
