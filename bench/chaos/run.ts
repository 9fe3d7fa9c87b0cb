/**
 * Runs one scenario by name, or all: `node --import tsx bench/chaos/run.ts [NAME]`. `hostile` is
 * the group of attacks, which like `soak` runs by name only. Outcomes are stored in bench/out; a
 * run of all, or `run.ts report`, writes bench/CHAOS.md from the latest outcome of each. With
 * TRANSPORT=node the gateways use that transport; its outcomes and report are separate. Exit code
 * 0 = all guarantees held, 1 = one did not, or a scenario could not run; 2 = no such scenario, or
 * invalid HOURS or SECONDS.
 */
import { relative } from 'node:path';
import { ROOT } from '../../deploy/kafka/jars.ts';
import type { ValueOption } from '../../src/cli/command-line.ts';
import { StartError } from '../../src/common/errors.ts';
import { exitWhenInterrupted } from '../../testing/interruption.ts';
import { numberOf } from '../../testing/numbers.ts';
import { scenarioList } from '../scenario-list.ts';
import { outcomeText } from './format.ts';
import { writeChaosReport } from './report.ts';
import { loadOutcomes, REPORT_FILE, saveOutcome } from './results-store.ts';
import { runScenario } from './run-scenario.ts';
import type { Scenario } from './scenario.ts';
import { hostile, SCENARIOS, soak } from './scenarios.ts';

const HOURS: ValueOption<number> = {
  expects: 'hours from 0.1 to 1000 such as 1 or 0.5',
  read: (text) => {
    const hours = /^\d{1,4}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
    return hours >= 0.1 && hours <= 1000 ? hours : undefined;
  },
};

const SECONDS: ValueOption<number> = {
  expects: 'seconds from 1 to 600',
  read: (text) => {
    const seconds = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
    return seconds >= 1 && seconds <= 600 ? seconds : undefined;
  },
};

function usage(problem: string): number {
  console.error(`chaos: ${problem}; available:\n${scenarioList([...SCENARIOS, ...hostile()])}`);
  return 2;
}

/** @returns whether all guarantees held */
async function runOne(scenario: Scenario): Promise<boolean> {
  console.log(`\n== ${scenario.name}: ${scenario.summary}`);
  const outcome = await runScenario(scenario, console.log);
  saveOutcome(outcome);
  console.log(`\n${outcomeText(outcome)}`);
  return outcome.problems.length === 0;
}

function chosen(name: string | undefined): readonly Scenario[] {
  if (name === undefined) return SCENARIOS;
  if (name === 'soak') return [soak(numberOf('HOURS', HOURS, 1))];
  const attacks = name.startsWith('hostile') ? hostile(numberOf('SECONDS', SECONDS, 20)) : [];
  if (name === 'hostile') return attacks;
  return [...SCENARIOS, ...attacks].filter((scenario) => scenario.name === name);
}

async function main([name, ...rest]: readonly string[]): Promise<number> {
  if (rest.length > 0) return usage(`${name} takes no arguments`);
  if (name !== 'report') {
    const scenarios = chosen(name);
    if (scenarios.length === 0) return usage(`no scenario ${JSON.stringify(name)}`);
    const passed: boolean[] = [];
    for (const scenario of scenarios) passed.push(await runOne(scenario));
    if (name !== undefined) return passed.every(Boolean) ? 0 : 1;
  }
  const outcomes = loadOutcomes();
  writeChaosReport([...SCENARIOS, ...hostile(), soak()], outcomes, REPORT_FILE);
  console.log(`\nwritten: ${relative(ROOT, REPORT_FILE)}`);
  return [...outcomes.values()].every(({ problems }) => problems.length === 0) ? 0 : 1;
}

exitWhenInterrupted();
try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  console.error(`chaos: ${(error as Error).message}`);
  process.exit(error instanceof StartError ? error.exitCode : 1);
}
