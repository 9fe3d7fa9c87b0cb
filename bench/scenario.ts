import type { Gateway, GatewayOptions } from '../test/support/gateway.ts';

/** A load run with a name, for `make bench SCENARIO=name`. */
export interface Scenario {
  readonly name: string;
  /** One line for the list of scenarios. */
  readonly summary: string;
  /** About how long it takes, for the same list. */
  readonly minutes: number;
  /** It starts brokers of its own: none is given to it. */
  readonly ownKafka?: boolean;
  /** Prints what it measures. @returns whether everything was as it must be */
  run(bench: Bench): Promise<boolean>;
}

/** What a scenario runs on. */
export interface Bench {
  readonly brokers: readonly string[];
  /** Starts a gateway; the end of its log is shown when the scenario fails. */
  startGateway(options: GatewayOptions): Promise<Gateway>;
}

/** Where scenarios get things from; tests have others. */
export interface Sources {
  /** Brokers that run, or are started now. */
  kafka(): Promise<readonly string[]>;
  startGateway(options: GatewayOptions): Promise<Gateway>;
  /** Where failures are told. */
  say(line: string): void;
}

/** Runs a scenario; when it fails, the ends of its gateways' logs follow. @throws what it throws */
export async function runScenario(scenario: Scenario, sources: Sources): Promise<boolean> {
  const gateways: Gateway[] = [];
  let passed = false;
  try {
    passed = await scenario.run({
      brokers: scenario.ownKafka ? [] : await sources.kafka(),
      startGateway: async (options) => {
        const gateway = await sources.startGateway(options);
        gateways.push(gateway);
        return gateway;
      },
    });
    return passed;
  } finally {
    if (!passed) {
      for (const gateway of gateways) sources.say(`the gateway’s log ends:\n${gateway.logTail()}`);
    }
  }
}
