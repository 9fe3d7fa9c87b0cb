/** Events of 16 streams in the same frames, selected by their routing field. */
import { cpuFigure, cpuRatio, interleave } from '../lab/figures.ts';
import { type GatewaySpec, Lab, PARTITIONS, type Shape } from '../lab/lab.ts';
import type { Measurement } from '../lab/measure.ts';
import { KINDS } from '../load/kinds.ts';
import type { Scenario } from '../scenario.ts';

const SHAPE: Shape = {
  body: 'mixed',
  eventBytes: 1_000,
  eventsPerFrame: 20,
  eventsPerSecond: 10_000,
};
const WARM_UP: Shape = { ...SHAPE, eventsPerSecond: 4_000 };
const GATEWAYS: Readonly<Record<string, GatewaySpec>> = {
  schemas: { routed: 'schemas' },
  'no schemas': { routed: 'any' },
  'one topic': { partitions: KINDS * PARTITIONS },
};

export const mixed: Scenario = {
  name: 'mixed',
  summary: `${KINDS} streams with schemas of their own, their events mixed in each frame`,
  minutes: 1,
  run: (bench) =>
    Lab.with(bench, async (lab) => {
      const runs: Record<string, () => Promise<Measurement>> = {};
      for (const [name, spec] of Object.entries(GATEWAYS)) {
        const target = await lab.gateway({ ...spec, name, warmUp: WARM_UP });
        runs[name] = () => lab.measure(target, SHAPE);
      }
      await lab.warmUp();
      // The first records of a partition take brokers much longer than later ones.
      for (const run of Object.values(runs)) await run();
      const found = await interleave(bench.rounds, runs);
      await lab.verify();
      const of = (name: string) => found[name]!;
      const figures = [
        cpuFigure('16 streams, own schemas', of('schemas')),
        cpuFigure('16 streams, no schemas', of('no schemas')),
        cpuFigure('one topic, built-in schema', of('one topic')),
        cpuRatio('own schemas / no schemas', of('schemas'), of('no schemas')),
        cpuRatio('16 streams, own schemas / one topic', of('schemas'), of('one topic')),
        ...lab.decided(),
        ...lab.memory(),
      ];
      const setup =
        `One worker each, 64 connections, nested events of 1 KB in turn for ${KINDS} streams, 20 ` +
        'per frame, 10,000/s, selected by their field type; page views, orders and log entries with ' +
        'properties of each stream, varying order, white space, escapes and Unicode. ' +
        `${PARTITIONS} partitions in each topic, as many in the one topic as in all others; linger ` +
        `10 ms. ${bench.places.text}.`;
      return { setup, figures, problems: lab.problems };
    }),
};
