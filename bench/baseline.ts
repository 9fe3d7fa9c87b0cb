/**
 * Runs the suite and records its ratios in bench/baseline.json, or compares them with it: `node
 * --import tsx bench/baseline.ts record|check [--last [--folder=bench]]`. With --last it uses the
 * results of the last run in out/ of that folder. Exit code 1 = a ratio is worse, or the suite
 * failed to run; 2 = invalid arguments.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../deploy/kafka/jars.ts';
import { PATH, readOptions } from '../src/cli/command-line.ts';
import { EXIT, StartError } from '../src/common/errors.ts';
import { checkBaseline } from './report/baseline-check.ts';
import { type Baseline, baselineOf } from './report/compare.ts';
import { type LastRun, readLastRun } from './report/report.ts';

interface Options {
  readonly last: boolean;
  /** Directory of baseline.json and the last run. */
  readonly folder: string;
}

/** @throws Error if the run has violations, which invalidate its figures */
function suite({ last, folder }: Options): LastRun {
  if (!last) {
    const args = ['--import', 'tsx', 'bench/run.ts'];
    const { status } = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
    if (status !== 0) throw new Error('the suite failed');
  }
  const run = readLastRun(folder);
  const wrong = [...run.results].filter(([, { problems }]) => problems.length > 0);
  if (wrong.length === 0) return run;
  throw new Error(`the run has violations: ${wrong.map(([name]) => name).join(', ')}`);
}

function record(options: Options): number {
  const { results, facts } = suite(options);
  const baseline = baselineOf(results, facts);
  writeFileSync(fileIn(options), `${JSON.stringify(baseline, null, 2)}\n`);
  console.log(`${Object.keys(baseline.figures).length} figures recorded in bench/baseline.json`);
  return 0;
}

function check(options: Options): number {
  const file = fileIn(options);
  if (!existsSync(file)) throw new Error('no recorded baseline: run make bench-baseline');
  const baseline = JSON.parse(readFileSync(file, 'utf8')) as Baseline;
  const { text, passed } = checkBaseline(baseline, suite(options));
  console.log(`\n${text}`);
  return passed ? 0 : 1;
}

function fileIn({ folder }: Options): string {
  return join(folder, 'baseline.json');
}

function usage(problem: string): StartError {
  const message = `${problem}; usage: baseline.ts record|check [--last [--folder=bench]]`;
  return new StartError(message, EXIT.configuration);
}

function main(): number {
  const options = { last: 'flag', folder: PATH } as const;
  const { values, positionals } = readOptions(process.argv.slice(2), options, usage);
  const { last, folder = join(ROOT, 'bench') } = values;
  if (values.folder !== undefined && !last) throw usage('--folder requires --last');
  switch (positionals.join(' ')) {
    case 'record':
      return record({ last, folder });
    case 'check':
      return check({ last, folder });
    default:
      throw usage('expected record or check');
  }
}

try {
  process.exitCode = main();
} catch (error) {
  console.error(`bench: ${(error as Error).message}`);
  process.exitCode = error instanceof StartError ? error.exitCode : 1;
}
