/** Fictitious results of the suite, for tests. */
import type { RunFacts } from '../../../bench/report/facts.ts';
import type { Figure, Result } from '../../../bench/result.ts';

export const facts: RunFacts = {
  cpu: 'Some CPU',
  cores: 2,
  memoryGiB: 16,
  kernel: 'Linux 6.1.0',
  node: '20.19.0',
  uws: '20.51.4',
  ws: '8.18.0',
  kafkajs: '2.2.4',
  kafka: '4.1.1',
  commit: 'abc1234',
  clean: true,
  date: '2026-01-31 12:00',
};

export function ratio(name: string, values: readonly number[], goal?: Figure['goal']): Figure {
  return { name, unit: 'x', values, checked: true, ...(goal === undefined ? {} : { goal }) };
}

/** Results of one scenario, `single`. */
export function runOf(...figures: Figure[]): Map<string, Result> {
  return new Map([['single', { setup: 'One event per frame.', figures, problems: [] }]]);
}
