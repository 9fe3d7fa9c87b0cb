/** More workers on one machine: each has its own batches and requests. */
import { cpuFigure, cpuRatio, interleave } from '../lab/figures.ts';
import { Lab } from '../lab/lab.ts';
import type { Scenario } from '../scenario.ts';

const PER_WORKER = 5_000;
/** Eight workers at full rate exceed two cores, and the load client would fall behind. */
const PER_WORKER_OF_EIGHT = 1_000;
const CONNECTIONS_PER_WORKER = 64;
const GOAL = { most: 1.3 };

export const workers: Scenario = {
  name: 'workers',
  summary: '1 and 4 workers at 5,000/s each, 8 at 1,000/s each',
  minutes: 1,
  run: (bench) =>
    Lab.with(bench, async (lab) => {
      const start = (count: number) => {
        const env = { FOREBAY_WORKERS: String(count) };
        return lab.gateway({ name: `${count} workers`, env, anywhere: true });
      };
      const shape = (count: number, perWorker: number) => ({
        connections: count * CONNECTIONS_PER_WORKER,
        eventsPerSecond: count * perWorker,
      });
      const [one, four, eight] = [await start(1), await start(4), await start(8)];
      await lab.warmUp();
      const found = await interleave(bench.rounds, {
        one: () => lab.measure(one, shape(1, PER_WORKER)),
        four: () => lab.measure(four, shape(4, PER_WORKER)),
        eight: () => lab.measure(eight, shape(8, PER_WORKER_OF_EIGHT)),
      });
      await lab.verify();
      const figures = [
        cpuFigure('1 worker', found.one),
        cpuFigure('4 workers', found.four),
        cpuFigure('8 workers', found.eight),
        cpuRatio('4 / 1 workers', found.four, found.one, GOAL),
        ...lab.decided(),
        ...lab.memory(),
      ];
      const setup =
        'Primary and workers together; 64 connections per worker, one event per frame, plain, 140 bytes, ' +
        '5,000/s for each of 1 and 4 workers, 1,000/s for each of 8; 12 partitions, linger 10 ms. ' +
        'Workers run on any core.';
      return { setup, figures, problems: lab.problems };
    }),
};
