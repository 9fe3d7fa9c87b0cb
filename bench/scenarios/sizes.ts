/** Cost per byte in small and large events. */
import { cpuOf, interleave, ratioFigure } from '../lab/figures.ts';
import { Lab } from '../lab/lab.ts';
import type { Measurement } from '../lab/measure.ts';
import type { Figure } from '../result.ts';
import type { Scenario } from '../scenario.ts';

const NANOS_PER_MICRO = 1_000;
const SMALL = { eventBytes: 100, eventsPerSecond: 10_000 };
const MIDDLE = { eventBytes: 1_000, eventsPerSecond: 10_000 };
const LARGE = { eventBytes: 10_000, eventsPerSecond: 2_000 };
/** The cost per byte decreases. */
const GOAL = { most: 1 };

export const sizes: Scenario = {
  name: 'sizes',
  summary: 'events of 100 bytes, 1 KB and 10 KB',
  minutes: 1,
  run: (bench) =>
    Lab.with(bench, async (lab) => {
      const gateway = await lab.gateway();
      await lab.warmUp();
      const found = await interleave(bench.rounds, {
        small: () => lab.measure(gateway, SMALL),
        middle: () => lab.measure(gateway, MIDDLE),
        large: () => lab.measure(gateway, LARGE),
      });
      await lab.verify();
      const [small, middle, large] = [
        perByte(found.small),
        perByte(found.middle),
        perByte(found.large),
      ];
      const figure = (name: string, values: number[]): Figure => ({
        name,
        unit: 'ns/byte',
        values,
      });
      const figures = [
        figure('100 bytes', small),
        figure('1 KB', middle),
        figure('10 KB', large),
        ratioFigure('1 KB / 100 bytes', middle, small, GOAL),
        ratioFigure('10 KB / 1 KB', large, middle, GOAL),
        ...lab.decided(),
        ...lab.memory(),
      ];
      const setup =
        'One worker, 64 connections, one plain event per frame: 10,000/s of 100 bytes and of 1 KB, ' +
        `2,000/s of 10 KB; 12 partitions, linger 10 ms. ${bench.places.text}.`;
      return { setup, figures, problems: lab.problems };
    }),
};

/** CPU per byte of event, in nanoseconds. */
function perByte(measurements: readonly Measurement[]): number[] {
  const { eventBytes } = measurements[0]!.report.shape;
  return cpuOf(measurements).map((micros) => (micros * NANOS_PER_MICRO) / eventBytes);
}
