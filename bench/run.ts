/**
 * Runs a scenario: `node --import tsx bench/run.ts NAME`. Kafka is the one of KAFKA_BROKERS, or the
 * one of `make kafka`, which is started if it does not run. Exit code 0 = passed, 1 = what it found
 * is wrong or it could not run, 2 = no such scenario or wrong settings.
 */
import { PLACE, PORT, up } from '../deploy/kafka/service.ts';
import { readConfig } from '../src/config.ts';
import { StartError } from '../src/errors.ts';
import { startGateway } from '../test/support/gateway.ts';
import { runScenario, type Scenario } from './scenario.ts';
import { brokerKills } from './scenarios/broker-kills.ts';
import { tutorial } from './scenarios/tutorial.ts';

const SCENARIOS: readonly Scenario[] = [tutorial, brokerKills];

function usage(problem: string): number {
  const width = Math.max(...SCENARIOS.map(({ name }) => name.length));
  const list = SCENARIOS.map(
    ({ name, summary, minutes }) => `  ${name.padEnd(width)}  ${summary}; ${minutes} min`,
  );
  console.error(`bench: ${problem}; there are:\n${list.join('\n')}`);
  return 2;
}

async function kafka(): Promise<readonly string[]> {
  if (process.env.KAFKA_BROKERS) return readConfig(process.env).kafkaBrokers;
  const { brokers } = await up(PLACE, PORT, console.log);
  console.log(`Kafka runs at ${brokers.join(',')} (make kafka-stop ends it)`);
  return brokers;
}

async function main([name, ...rest]: readonly string[]): Promise<number> {
  if (name === undefined) return usage('name a scenario');
  const scenario = SCENARIOS.find((candidate) => candidate.name === name);
  if (scenario === undefined) return usage(`no scenario ${JSON.stringify(name)}`);
  if (rest.length > 0) return usage(`${name} takes no arguments`);
  return (await runScenario(scenario, { kafka, startGateway, say: console.error })) ? 0 : 1;
}

try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  console.error(`bench: ${(error as Error).message}`);
  process.exit(error instanceof StartError ? error.exitCode : 1);
}
