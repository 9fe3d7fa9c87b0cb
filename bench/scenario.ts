import type { Gateway, GatewayOptions } from '../testing/gateway.ts';
import type { Places } from './lab/cores.ts';
import type { Result } from './result.ts';

/** A load run with a name, for `make bench SCENARIO=name`. */
export interface Scenario {
  readonly name: string;
  /** One line for the list of scenarios. */
  readonly summary: string;
  /** About how long it takes, for the same list. */
  readonly minutes: number;
  /** It starts brokers of its own: none is given to it. */
  readonly ownKafka?: boolean;
  /** It takes too long for the suite, and is run by its name alone. */
  readonly apart?: boolean;
  /** Says what it does meanwhile; the result is for the table. @throws when it could not run */
  run(bench: Bench): Promise<Result>;
}

/** What a scenario runs on. */
export interface Bench {
  readonly brokers: readonly string[];
  /** Of those brokers, where they run here and are ours. */
  readonly brokerPids: readonly number[];
  readonly places: Places;
  /** How often each measurement is made, in turn with those that it is compared with. */
  readonly rounds: number;
  /** Starts a gateway; the end of its log is shown when the scenario fails. */
  startGateway(options: GatewayOptions): Promise<Gateway>;
  /** Tells people how it goes. */
  say(line: string): void;
}

/** Where scenarios get things from; tests have others. */
export interface Sources extends Omit<Bench, 'brokers'> {
  /** Brokers that run, or are started now. */
  kafka(): Promise<readonly string[]>;
}

/** Runs a scenario; when it fails, the ends of its gateways' logs follow. @throws what it throws */
export async function runScenario(scenario: Scenario, sources: Sources): Promise<Result> {
  const { kafka, startGateway, ...rest } = sources;
  const gateways: Gateway[] = [];
  let passed = false;
  try {
    const result = await scenario.run({
      ...rest,
      brokers: scenario.ownKafka ? [] : await kafka(),
      startGateway: async (options) => {
        const gateway = await startGateway(options);
        gateways.push(gateway);
        return gateway;
      },
    });
    passed = result.problems.length === 0;
    return result;
  } finally {
    if (!passed) {
      for (const gateway of gateways) sources.say(`the gateway’s log ends:\n${gateway.logTail()}`);
    }
  }
}
