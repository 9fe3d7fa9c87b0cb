/** Runs one scenario, from start to verification. */
import { runFacts } from '../report/facts.ts';
import { Cleanup } from './cleanup.ts';
import type { Account, Outcome } from './outcome.ts';
import type { Scenario } from './scenario.ts';
import { verify } from './verify.ts';
import { World } from './world.ts';

/** Stops everything it started; errors become problems of the outcome. */
export async function runScenario(
  scenario: Scenario,
  log: (line: string) => void = () => {},
): Promise<Outcome> {
  const { name, summary, setup = {} } = scenario;
  const facts = runFacts({});
  const cleanup = new Cleanup();
  const problems: string[] = [];
  let world: World | undefined;
  let balanced: { account: Account; figures: Outcome['figures'] } | undefined;
  const report = (what: string, error: unknown) => problems.push(`${what}: ${textOf(error)}`);
  try {
    scenario.prepare?.();
    world = await World.open(cleanup, setup, log);
    await scenario.run(world).catch((error: unknown) => report('scenario aborted', error));
    const { account, evidence, figures } = await world.balance();
    balanced = { account, figures };
    problems.push(...verify(evidence));
  } catch (error) {
    report(world === undefined ? 'start failed' : 'reconciliation failed', error);
  }
  problems.unshift(...(world?.problems ?? []));
  if (problems.length > 0) {
    for (const gateway of world?.stage.gateways ?? []) {
      log(`end of the gateway’s log:\n${gateway.logTail()}`);
    }
  }
  const seconds = Math.round(world?.seconds ?? 0);
  await cleanup.end().catch((error: unknown) => report('cleanup failed', error));
  return {
    ...{ name, summary, facts, setup, seconds, problems },
    eventsPerSecond: world?.eventsPerSecond ?? 0,
    schedule: world?.schedule ?? [],
    figures: balanced?.figures ?? [],
    ...(world?.measurements === undefined ? {} : { measurements: world.measurements }),
    ...(balanced === undefined ? {} : { account: balanced.account }),
  };
}

/** Includes the causes. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : ` (${textOf(error.cause)})`;
  return error.message + cause;
}
