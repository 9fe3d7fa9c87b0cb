/** Runs one scenario from an empty machine to its verdict. */
import { runFacts } from '../report/facts.ts';
import { Ends } from './cleanup.ts';
import { judge } from './judge.ts';
import type { Account, Outcome } from './outcome.ts';
import type { Scenario } from './scenario.ts';
import { World } from './world.ts';

/** Nothing of it is left afterwards; whatever goes wrong is a problem of the outcome. */
export async function conduct(
  scenario: Scenario,
  say: (line: string) => void = () => {},
): Promise<Outcome> {
  const { name, summary, setup = {} } = scenario;
  const facts = runFacts({});
  const ends = new Ends();
  const problems: string[] = [];
  let world: World | undefined;
  let balanced: { account: Account; figures: Outcome['figures'] } | undefined;
  const tell = (what: string, error: unknown) => problems.push(`${what}: ${textOf(error)}`);
  try {
    scenario.prepare?.();
    world = await World.open(ends, setup, say);
    await scenario.run(world).catch((error: unknown) => tell('it broke off', error));
    const { account, evidence, figures } = await world.balance();
    balanced = { account, figures };
    problems.push(...judge(evidence));
  } catch (error) {
    tell(world === undefined ? 'it did not start' : 'the books were not closed', error);
  }
  problems.unshift(...(world?.problems ?? []));
  if (problems.length > 0) {
    for (const gateway of world?.stage.gateways ?? []) {
      say(`the gateway’s log ends:\n${gateway.logTail()}`);
    }
  }
  const seconds = Math.round(world?.seconds ?? 0);
  await ends.end().catch((error: unknown) => tell('something did not end', error));
  return {
    ...{ name, summary, facts, setup, seconds, problems },
    eventsPerSecond: world?.eventsPerSecond ?? 0,
    schedule: world?.schedule ?? [],
    figures: balanced?.figures ?? [],
    ...(world?.measurements === undefined ? {} : { measurements: world.measurements }),
    ...(balanced === undefined ? {} : { account: balanced.account }),
  };
}

/** With its causes. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : ` (${textOf(error.cause)})`;
  return error.message + cause;
}
