/**
 * `make simulate`: many seeds (SEEDS, from FIRST on), or one with its trace (SEED). For the mutation
 * check: UNTIL_FAILURE=1, or a text that a violation has to have; for a share of many.ts: SHARE.
 */
import { runHistory } from './history.ts';
import { runParallel, runSeeds, type Summary, tellParent } from './many.ts';
import { OCCURRENCES } from './report.ts';

const { SEED, SHARE, UNTIL_FAILURE } = process.env;
const first = Number(process.env.FIRST || 1);
const count = Number(process.env.SEEDS || 1_000);

async function replay(seed: number): Promise<boolean> {
  const { violations, hash, steps } = await runHistory(seed, (line) => console.log(line));
  console.log(`seed ${seed}: ${steps} steps, hash ${hash}`);
  for (const violation of violations) console.log(violation);
  return violations.length === 0;
}

async function runMany(): Promise<boolean> {
  const startMs = performance.now();
  const { counts, seeds, failures, events, steps } = await runParallel(first, count);
  for (const what of OCCURRENCES) console.log(String(counts[what] ?? 0).padStart(9), what);
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
  const failed = `${failures.length} failed`;
  console.log(`${seeds} seeds, ${failed}; ${events} events, ${steps} steps, ${seconds} s`);
  return failures.length === 0;
}

async function runShare(from: number, seeds: number): Promise<Summary> {
  const summary = await runSeeds(from, seeds, UNTIL_FAILURE === '1' ? '' : UNTIL_FAILURE);
  tellParent(summary);
  return summary;
}

if (SHARE || UNTIL_FAILURE) {
  const [from = first, seeds = count] = SHARE?.split('+').map(Number) ?? [];
  await runShare(from, seeds);
} else {
  const fine = SEED ? await replay(Number(SEED)) : await runMany();
  process.exitCode = fine ? 0 : 1;
}
