import type { Figure } from '../result.ts';
import type { Measurement } from './measure.ts';

export type Goal = NonNullable<Figure['goal']>;

/** CPU cost of one run. */
export type Cost = Pick<Measurement, 'cpuMicrosPerEvent'>;

/** Interleaved measurements by name, one per round. */
export type Rounds<Name extends string, Run = Measurement> = Record<Name, Run[]>;

/** Runs every measurement once per round, in sequence, so that drift affects all of them. */
export async function interleave<Name extends string, Run>(
  rounds: number,
  runs: Record<Name, () => Promise<Run>>,
): Promise<Rounds<Name, Run>> {
  const names = Object.keys(runs) as Name[];
  const found = Object.fromEntries(names.map((name) => [name, []])) as unknown as Rounds<Name, Run>;
  for (let round = 0; round < rounds; round++) {
    for (const name of names) found[name].push(await runs[name]());
  }
  return found;
}

export function cpuOf(costs: readonly Cost[]): number[] {
  return costs.map(({ cpuMicrosPerEvent }) => cpuMicrosPerEvent);
}

/** Returns user and system time of all processes per acknowledged event. */
export function cpuFigure(name: string, costs: readonly Cost[]): Figure {
  return { name, unit: 'us/event', values: cpuOf(costs) };
}

/** Returns the ratios of values of the same round. */
export function ratios(these: readonly number[], those: readonly number[]): number[] {
  return these.map((value, round) => value / (those[round] ?? Number.NaN));
}

/** Returns a ratio within one run, which is compared with the baseline. */
export function ratioFigure(
  name: string,
  these: readonly number[],
  those: readonly number[],
  goal?: Goal,
): Figure {
  const values = ratios(these, those);
  return { name, unit: 'x', values, checked: true, ...(goal === undefined ? {} : { goal }) };
}

/** Returns the ratio of the CPU per event. */
export function cpuRatio(
  name: string,
  these: readonly Cost[],
  those: readonly Cost[],
  goal?: Goal,
): Figure {
  return ratioFigure(name, cpuOf(these), cpuOf(those), goal);
}

/** Returns the p50 and p99 latencies of the rounds. */
export function latencyFigures(name: string, measurements: readonly Measurement[]): Figure[] {
  const of = (percentile: 'p50' | 'p99') =>
    measurements.map(({ report }) => report.latency[percentile]);
  return [
    { name: `${name}: ack p50`, unit: 'ms', values: of('p50') },
    { name: `${name}: ack p99`, unit: 'ms', values: of('p99') },
  ];
}
