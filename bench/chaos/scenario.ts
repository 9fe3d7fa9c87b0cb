/** Faults that a chaos run injects. */
import type { Setup } from './setup.ts';
import type { World } from './world.ts';

/** Faults on a schedule, with a name, for `make chaos SCENARIO=name`. */
export interface Scenario {
  readonly name: string;
  /** One line for lists: what is done to whom. */
  readonly summary: string;
  /** About how long it takes, for the same lists. */
  readonly minutes: number;
  readonly setup?: Setup;
  /** What has to be there before the gateway starts. */
  prepare?(): void;
  /**
   * Breaks things while the load goes on; the ledger is balanced afterwards.
   * @throws when a fault did not happen, or nothing goes on after it
   */
  run(world: World): Promise<void>;
}
