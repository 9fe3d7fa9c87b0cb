/**
 * `make simulate`: many seeds (SEEDS, from FIRST on), or one with its trace (SEED). For mutants:
 * UNTIL_FAILURE=1, or a text that a violation must contain; for a child of many.ts: SHARE.
 */
import { wholeNumber } from '../../src/cli/command-line.ts';
import { StartError } from '../../src/common/errors.ts';
import { numberOf } from '../../testing/numbers.ts';
import { runHistory } from './history.ts';
import { runParallel, runSeeds, type Summary, tellParent } from './many.ts';
import { OCCURRENCES } from './report.ts';

const { SEED, SHARE, UNTIL_FAILURE } = process.env;
const SEED_OPTION = wholeNumber(0, 2 ** 31 - 1);
const COUNT = wholeNumber(1, 1_000_000_000);

/** The seeds to run. */
function seeds(): { first: number; count: number } {
  return { first: numberOf('FIRST', SEED_OPTION, 1), count: numberOf('SEEDS', COUNT, 1_000) };
}

async function replay(seed: number): Promise<boolean> {
  const { violations, hash, steps } = await runHistory(seed, (line) => console.log(line));
  console.log(`seed ${seed}: ${steps} steps, hash ${hash}`);
  for (const violation of violations) console.log(violation);
  return violations.length === 0;
}

async function runMany(): Promise<boolean> {
  const { first, count } = seeds();
  const startMs = performance.now();
  const { counts, seeds: ran, failures, events, steps } = await runParallel(first, count);
  for (const what of OCCURRENCES) console.log(String(counts[what] ?? 0).padStart(9), what);
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
  const failed = `${failures.length} failed`;
  console.log(`${ran} seeds, ${failed}; ${events} events, ${steps} steps, ${seconds} s`);
  return failures.length === 0;
}

async function runShare(from: number, count: number): Promise<Summary> {
  const summary = await runSeeds(from, count, UNTIL_FAILURE === '1' ? '' : UNTIL_FAILURE);
  tellParent(summary);
  return summary;
}

async function main(): Promise<boolean> {
  if (SHARE || UNTIL_FAILURE) {
    const { first, count } = seeds();
    const [from = first, share = count] = SHARE?.split('+').map(Number) ?? [];
    await runShare(from, share);
    return true;
  }
  return SEED ? await replay(numberOf('SEED', SEED_OPTION, 1)) : await runMany();
}

try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  console.error(`simulate: ${error.message}`);
  process.exitCode = error.exitCode;
}
