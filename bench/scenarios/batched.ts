/** Fifty events per frame: the savings for clients that batch. */
import { cpuFigure, cpuRatio, interleave, latencyFigures } from '../lab/figures.ts';
import { Lab } from '../lab/lab.ts';
import type { Scenario } from '../scenario.ts';

/** Many events per frame, at a high rate. */
export const BATCHED = { eventsPerSecond: 100_000, eventsPerFrame: 50 };
const GOAL = { most: 1 / 4 };
const FLOOR_GOAL = { most: 2.2 };

export const batched: Scenario = {
  name: 'batched',
  summary: '50 events per frame, 100,000/s, compared with one per frame',
  minutes: 1,
  run: (bench) =>
    Lab.with(bench, async (lab) => {
      const [gateway, floor] = [await lab.gateway(), await lab.floor()];
      await lab.warmUp();
      const found = await interleave(bench.rounds, {
        batched: () => lab.measure(gateway, BATCHED),
        floor: () => lab.measure(floor, BATCHED),
        single: () => lab.measure(gateway),
      });
      await lab.verify();
      const figures = [
        cpuFigure('50 per frame, 100,000/s', found.batched),
        cpuFigure('floor, same load', found.floor),
        cpuRatio('50 per frame / floor', found.batched, found.floor, FLOOR_GOAL),
        cpuFigure('one per frame, 20,000/s', found.single),
        cpuRatio('50 per frame / one per frame', found.batched, found.single, GOAL),
        ...latencyFigures('50 per frame', found.batched),
        ...lab.decided(),
        ...lab.memory(),
      ];
      const setup =
        'One worker, 64 connections, plain 140-byte events, 12 partitions, linger 10 ms. ' +
        `${bench.places.text}.`;
      return { setup, figures, problems: lab.problems };
    }),
};
