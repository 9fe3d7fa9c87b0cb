/** Faults that a chaos run injects. */
import type { Setup } from './setup.ts';
import type { World } from './world.ts';

/** Named, scheduled faults for `make chaos SCENARIO=name`. */
export interface Scenario {
  readonly name: string;
  /** One-line description for lists. */
  readonly summary: string;
  /** Approximate duration, for the same lists. */
  readonly minutes: number;
  readonly setup?: Setup;
  /** Prepares what the gateway needs at its start. */
  prepare?(): void;
  /**
   * Injects the faults under load; the ledger is reconciled afterwards.
   * @throws if a fault had no effect, or no event is stored after it
   */
  run(world: World): Promise<void>;
}
