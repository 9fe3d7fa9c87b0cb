import type { Gateway, GatewayOptions } from '../testing/gateway.ts';
import type { Commit } from './lab/commit.ts';
import type { Places } from './lab/cores.ts';
import type { Result } from './result.ts';

/** Named load run for `make bench SCENARIO=name`. */
export interface Scenario {
  readonly name: string;
  /** One-line description for lists. */
  readonly summary: string;
  /** Approximate duration, for the same list. */
  readonly minutes: number;
  /** Starts its own brokers; gets none. */
  readonly ownKafka?: boolean;
  /** Not part of the suite: runs by name only, and has a section of its own in RESULTS.md. */
  readonly standalone?: boolean;
  /** Compares the current checkout with the commit in COMMIT. */
  readonly comparesCommit?: boolean;
  /** Logs its progress and returns its result. @throws if it failed to run */
  run(bench: Bench): Promise<Result>;
}

/** Environment of a scenario. */
export interface Bench {
  readonly brokers: readonly string[];
  /** Processes of the brokers, if they run here and may be moved. */
  readonly brokerPids: readonly number[];
  readonly places: Places;
  /** Number of times that each measurement runs, interleaved with those it is compared with. */
  readonly rounds: number;
  /** Commit to compare with; only of scenarios that do. */
  readonly commit?: Commit | undefined;
  /** Starts a gateway; the end of its log is shown if the scenario fails. */
  startGateway(options: GatewayOptions): Promise<Gateway>;
  /** Logs progress. */
  log(line: string): void;
}

/** Dependencies of scenarios; tests replace them. */
export interface Sources extends Omit<Bench, 'brokers'> {
  /** Returns running brokers, or starts them. */
  kafka(): Promise<readonly string[]>;
}

/** Runs a scenario; if it fails, logs the ends of its gateways' logs. @throws its error */
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
      for (const gateway of gateways) sources.log(`the gateway’s log ends:\n${gateway.logTail()}`);
    }
  }
}
