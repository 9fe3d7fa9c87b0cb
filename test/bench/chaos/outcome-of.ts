import type { Outcome } from '../../../bench/chaos/outcome.ts';
import { facts } from '../report/run-of.ts';

/** Returns an outcome without problems, with overrides. */
export function outcomeOf(name: string, differs: Partial<Outcome> = {}): Outcome {
  return {
    name,
    summary: `summary of ${name}`,
    facts,
    setup: {},
    seconds: 60,
    eventsPerSecond: 5_000,
    schedule: [],
    account: {
      ...{ sent: 1_000, acknowledged: 800, refused: 100, stored: 900, deleted: 0 },
      ...{ missing: 0, doubled: 0, phantom: 0, refusedStored: 0, wrongKey: 0, disordered: 0 },
      ...{ unmarked: 0, wrongMark: 0, unacknowledgedStored: 100, repeated: 0, marked: 0 },
    },
    figures: [],
    problems: [],
    ...differs,
  };
}
