import type { Outcome, Scenario } from './scenario.ts';
export function writeChaosReport(_s: readonly Scenario[], _o: ReadonlyMap<string, Outcome>): void {}
