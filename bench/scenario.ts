/** A load run with a name, for `make bench SCENARIO=name`. */
export interface Scenario {
  readonly name: string;
  /** One line for the list of scenarios. */
  readonly summary: string;
  /** Prints what it measures. @returns whether everything was as it must be */
  run(brokers: readonly string[]): Promise<boolean>;
}
