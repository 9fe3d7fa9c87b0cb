/** Memory of an idle connection, and duration of a start. */
import { MIB } from '../../src/config/limits.ts';
import { type IdleMemory, idleMemory, idleSetup } from '../lab/idle-memory.ts';
import { Lab } from '../lab/lab.ts';
import type { Figure } from '../result.ts';
import type { Scenario } from '../scenario.ts';

const CONNECTION_GOAL = { most: 4 * 1024 };
const START_GOAL = { most: 400 };

export const idle: Scenario = {
  name: 'idle',
  summary: '10,000 idle connections: memory per connection, start time',
  minutes: 1,
  run: (bench) =>
    Lab.with(bench, async (lab) => {
      const rounds: IdleMemory[] = [];
      for (let round = 0; round < bench.rounds; round++) rounds.push(await idleMemory(lab));
      const figures = [...figuresOf(rounds), ...lab.decided(), ...lab.memory()];
      const setup =
        `${idleSetup()} Start to ready: from process start to the first 200 from /readyz, ` +
        'including topic creation, with Kafka running.';
      return { setup, figures, problems: lab.problems };
    }),
};

function figuresOf(rounds: readonly IdleMemory[]): Figure[] {
  const of = (which: keyof IdleMemory) => rounds.map((round) => round[which]);
  return [
    {
      name: 'worker, per connection',
      unit: 'bytes',
      values: of('userBytes'),
      goal: CONNECTION_GOAL,
    },
    { name: 'kernel, both ends, per connection', unit: 'bytes', values: of('kernelBytes') },
    { name: 'start to ready', unit: 'ms', values: of('startToReadyMs'), goal: START_GOAL },
    {
      name: 'worker without connections',
      unit: 'MiB',
      values: of('emptyBytes').map((n) => n / MIB),
    },
  ];
}
