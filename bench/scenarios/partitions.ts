/** The same load over more partitions: batches become smaller. */
import { cpuFigure, cpuRatio, interleave } from '../lab/figures.ts';
import { Lab } from '../lab/lab.ts';
import type { Scenario } from '../scenario.ts';

const CONNECTIONS = 512;
const GOAL = { most: 1.3 };

export const partitions: Scenario = {
  name: 'partitions',
  summary: '4, 24 and 96 partitions, 20,000/s',
  minutes: 1,
  run: (bench) =>
    Lab.with(bench, async (lab) => {
      const start = (count: number) =>
        lab.gateway({ name: `${count} partitions`, partitions: count });
      const [few, some, many] = [await start(4), await start(24), await start(96)];
      await lab.warmUp();
      const found = await interleave(bench.rounds, {
        few: () => lab.measure(few, { connections: CONNECTIONS }),
        some: () => lab.measure(some, { connections: CONNECTIONS }),
        many: () => lab.measure(many, { connections: CONNECTIONS }),
      });
      await lab.verify();
      const figures = [
        cpuFigure('4 partitions', found.few),
        cpuFigure('24 partitions', found.some),
        cpuFigure('96 partitions', found.many),
        cpuRatio('24 / 4 partitions', found.some, found.few, GOAL),
        cpuRatio('96 / 4 partitions', found.many, found.few),
        ...lab.decided(),
        ...lab.memory(),
      ];
      const setup =
        `One worker each, ${CONNECTIONS} connections and keys, 20,000/s, one event per frame, ` +
        `plain, 140 bytes; linger 10 ms. ${bench.places.text}.`;
      return { setup, figures, problems: lab.problems };
    }),
};
