/** The same load from more connections: fewer acks settle more than one frame. */
import { cpuFigure, cpuOf, cpuRatio, interleave, ratioFigure, ratios } from '../lab/figures.ts';
import { Lab } from '../lab/lab.ts';
import type { Target } from '../lab/target.ts';
import type { Scenario } from '../scenario.ts';

const EVENTS_PER_SECOND = 10_000;
/** Growth of the cost of an event, up to that of receiving alone. */
const GOAL = { most: 1 };

export const connections: Scenario = {
  name: 'connections',
  summary: `64 and 5,000 connections, ${EVENTS_PER_SECOND / 1000},000/s in total`,
  minutes: 1,
  run: (bench) =>
    Lab.with(bench, async (lab) => {
      const [gateway, floor] = [await lab.gateway(), await lab.floor()];
      await lab.warmUp();
      const of = (target: Target, count: number) =>
        lab.measure(target, { connections: count, eventsPerSecond: EVENTS_PER_SECOND });
      const found = await interleave(bench.rounds, {
        few: () => of(gateway, 64),
        many: () => of(gateway, 5_000),
        floorFew: () => of(floor, 64),
        floorMany: () => of(floor, 5_000),
      });
      await lab.verify();
      const growth = ratios(cpuOf(found.many), cpuOf(found.few));
      const floorGrowth = ratios(cpuOf(found.floorMany), cpuOf(found.floorFew));
      const figures = [
        cpuFigure('64 connections', found.few),
        cpuFigure('5,000 connections', found.many),
        cpuRatio('5,000 / 64 connections', found.many, found.few),
        cpuRatio('floor: 5,000 / 64 connections', found.floorMany, found.floorFew),
        ratioFigure('growth / growth of the floor', growth, floorGrowth, GOAL),
        ...lab.decided(),
        ...lab.memory(),
      ];
      const setup =
        `One worker, ${EVENTS_PER_SECOND / 1000},000 events/s in total, one per frame, plain, 140 bytes; ` +
        `12 partitions, linger 10 ms. ${bench.places.text}.`;
      return { setup, figures, problems: lab.problems };
    }),
};
