/** Runs many seeds in several processes and adds up their results. */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { TYPESCRIPT } from '../../testing/typescript.ts';
import { runHistory } from './history.ts';
import { addCounts, type Counts } from './report.ts';

/** A failed seed and its violations. */
export interface Failure {
  readonly seed: number;
  readonly violations: readonly string[];
}

export interface Summary {
  readonly failures: Failure[];
  readonly counts: Counts;
  seeds: number;
  events: number;
  steps: number;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Prefix of a child's JSON lines; other lines are human-readable. */
const MARK = 'SUMMARY ';

/**
 * Runs seeds from `first` on in this process.
 * @param until stops at the first seed with this text in a violation; no other seed fails then
 */
export async function runSeeds(first: number, count: number, until?: string): Promise<Summary> {
  const summary: Summary = { failures: [], counts: {}, seeds: 0, events: 0, steps: 0 };
  for (let seed = first; seed < first + count; seed++) {
    const { violations: all, counts, events, steps } = await runHistory(seed);
    const violations = all.filter((violation) => violation.includes(until ?? ''));
    addCounts(summary.counts, counts);
    summary.seeds++;
    summary.events += events;
    summary.steps += steps;
    if (violations.length === 0) continue;
    summary.failures.push({ seed, violations });
    console.log(`seed ${seed} fails: ${violations.join('\n  ')}`);
    if (until !== undefined) break;
  }
  return summary;
}

/** Runs the seeds in a process per core. @throws Error when one ends without a result */
export async function runParallel(first: number, count: number): Promise<Summary> {
  const processes = Math.min(count, availableParallelism());
  const share = Math.ceil(count / processes);
  const shares = Array.from({ length: processes }, (_, index) => {
    const from = first + index * share;
    return runShare(from, Math.min(share, first + count - from));
  });
  const total: Summary = { failures: [], counts: {}, seeds: 0, events: 0, steps: 0 };
  for (const part of await Promise.all(shares)) {
    total.failures.push(...part.failures);
    addCounts(total.counts, part.counts);
    total.seeds += part.seeds;
    total.events += part.events;
    total.steps += part.steps;
  }
  return total;
}

/** Prints the result of a child of {@link runParallel}. */
export function tellParent(summary: Summary): void {
  console.log(`${MARK}${JSON.stringify(summary)}`);
}

function runShare(first: number, count: number): Promise<Summary> {
  const child = spawn(process.execPath, [...TYPESCRIPT, 'test/simulation/main.ts'], {
    cwd: ROOT,
    env: { ...process.env, SHARE: `${first}+${count}` },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once('close', (code) => {
      const [told, summary] = output.split(MARK);
      process.stdout.write(told ?? '');
      if (summary !== undefined) resolve(JSON.parse(summary) as Summary);
      else reject(new Error(`seeds ${first} and on ended with code ${code}`));
    });
  });
}
