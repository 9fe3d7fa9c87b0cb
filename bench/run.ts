/**
 * Runs the suite, or one scenario: `node --import tsx bench/run.ts [NAME]`. Uses KAFKA_BROKERS, or
 * the Kafka of `make kafka`, which is started if needed; COMMIT for `against`. Exit code 0 = no violations, whatever the
 * figures; 1 = violations, or it failed to run; 2 = no such scenario or invalid settings.
 */
import { PLACE, up } from '../deploy/kafka/service.ts';
import { wholeNumber } from '../src/cli/command-line.ts';
import { EXIT, StartError } from '../src/common/errors.ts';
import { readConfig } from '../src/config/config.ts';
import { startGateway } from '../testing/gateway.ts';
import { exitWhenInterrupted } from '../testing/interruption.ts';
import { numberOf } from '../testing/numbers.ts';
import { type Commit, commitOf } from './lab/commit.ts';
import { choosePlaces, moveTo } from './lab/cores.ts';
import { type RunFacts, runFacts } from './report/facts.ts';
import { forgetLastRun, writeReport, writeSection } from './report/report.ts';
import type { Result } from './result.ts';
import { runScenario, type Scenario, type Sources } from './scenario.ts';
import { scenarioList } from './scenario-list.ts';
import { SCENARIOS } from './scenarios.ts';
import { figureTable } from './table.ts';

const ROUNDS = 3;
const ROUNDS_MAX = 100;

function usage(problem: string): number {
  console.error(`bench: ${problem}; available:\n${scenarioList(SCENARIOS)}`);
  return 2;
}

interface Found {
  readonly brokers: readonly string[];
  /** Processes that can be moved to other cores. */
  readonly pids: readonly number[];
}

/** Returns a running Kafka, or starts one. */
async function findKafka(): Promise<Found> {
  if (process.env.KAFKA_BROKERS) return { brokers: readConfig(process.env).kafkaBrokers, pids: [] };
  return await up(PLACE, console.log);
}

async function runOne(scenario: Scenario, sources: Sources): Promise<Result> {
  const startedMs = performance.now();
  console.log(`\n== ${scenario.name}: ${scenario.summary}`);
  const result = await runScenario(scenario, sources).catch((error: Error): Result => {
    return { setup: scenario.summary, figures: [], problems: [`failed to run: ${error.message}`] };
  });
  console.log(`\n${result.setup}\n${figureTable(result.figures)}`);
  for (const problem of result.problems) console.error(`violation: ${problem}`);
  console.log(`${scenario.name} took ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
  return result;
}

/** Returns the commit to compare with, if a scenario does. @throws StartError if there is none */
function comparedCommit(scenarios: readonly Scenario[]): Commit | undefined {
  const comparing = scenarios.find(({ comparesCommit }) => comparesCommit);
  if (comparing === undefined) return undefined;
  const revision = process.env.COMMIT;
  if (revision) return commitOf(revision);
  const message = `${comparing.name} compares with a commit: make bench SCENARIO=against COMMIT=HEAD~1`;
  throw new StartError(message, EXIT.configuration);
}

/** Keeps the previous section if the run has violations. */
function writeOwnSection({ name, standalone }: Scenario, result: Result, facts: RunFacts): void {
  if (!standalone || result.problems.length > 0) return;
  writeSection(name, result, facts);
  console.log(`section ${name} of bench/RESULTS.md written`);
}

async function main([name, ...rest]: readonly string[]): Promise<number> {
  const named = SCENARIOS.filter((candidate) => candidate.name === name);
  if (name !== undefined && named.length === 0) return usage(`no scenario ${JSON.stringify(name)}`);
  if (rest.length > 0) return usage(`${name} takes no arguments`);
  const rounds = numberOf('ROUNDS', wholeNumber(1, ROUNDS_MAX), ROUNDS);
  const startedMs = performance.now();
  const chosen = name === undefined ? SCENARIOS.filter(({ standalone }) => !standalone) : named;
  const commit = comparedCommit(chosen);
  // Started before this process is pinned: a JVM that sees one core configures itself for less.
  const found = chosen.every(({ ownKafka }) => ownKafka) ? undefined : await findKafka();
  const places = choosePlaces(found === undefined || found.pids.length > 0);
  for (const pid of [...(found?.pids ?? []), process.pid]) moveTo(places.rest, pid);
  const sources: Sources = {
    places,
    rounds,
    startGateway,
    log: console.log,
    kafka: async () => found?.brokers ?? [],
    brokerPids: found?.pids ?? [],
    commit,
  };
  const facts = runFacts();
  if (name === undefined) forgetLastRun();
  const results = new Map<string, Result>();
  for (const scenario of chosen) {
    results.set(scenario.name, await runOne(scenario, sources));
  }
  const minutes = (performance.now() - startedMs) / 60_000;
  if (name === undefined) {
    writeReport(results, facts);
    console.log(`\nthe suite took ${minutes.toFixed(1)} minutes`);
  } else {
    for (const scenario of chosen) writeOwnSection(scenario, results.get(name)!, facts);
  }
  return [...results.values()].some(({ problems }) => problems.length > 0) ? 1 : 0;
}

exitWhenInterrupted();
try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  console.error(`bench: ${(error as Error).message}`);
  process.exit(error instanceof StartError ? error.exitCode : 1);
}
