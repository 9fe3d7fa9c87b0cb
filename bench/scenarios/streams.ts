/** The same load over many streams, each with a topic of its own. */

import { MIB } from '../../src/config/limits.ts';
import { atRest } from '../../testing/watch.ts';
import { type Cost, cpuFigure, cpuRatio, interleave } from '../lab/figures.ts';
import { Lab, PARTITIONS, type Shape } from '../lab/lab.ts';
import type { Measurement } from '../lab/measure.ts';
import { peakBytesOf } from '../lab/memory.ts';
import type { GatewayTarget } from '../lab/target.ts';
import type { Figure } from '../result.ts';
import type { Scenario } from '../scenario.ts';
import { BATCHED } from './batched.ts';

const CONNECTIONS = 512;
const FIRST = { connections: CONNECTIONS, eventsPerSecond: 2_000 };
const FIRST_TIMES = { settleMs: 60_000 };
const GOAL = { most: 1.15 };
/** Streams and partitions of each topic. */
const GATEWAYS = {
  one: { name: 'one stream', streams: 1, partitions: PARTITIONS },
  wide: { name: 'one stream, 192 partitions', streams: 1, partitions: 16 * PARTITIONS },
  sixteen: { name: '16 streams', streams: 16, partitions: PARTITIONS },
  all: { name: '64 streams', streams: 64, partitions: PARTITIONS },
} as const;
type Name = keyof typeof GATEWAYS;
const NAMES = Object.keys(GATEWAYS) as Name[];
const LOADS = [
  { load: 'one per frame, 20,000/s', shape: { connections: CONNECTIONS } },
  { load: '50 per frame, 100,000/s', shape: { ...BATCHED, connections: CONNECTIONS } },
] as const;

/** Cost of one run, and the mean number of events in its batches. */
interface Run extends Cost {
  readonly batchEvents: number;
}

export const streams: Scenario = {
  name: 'streams',
  summary: '16 and 64 streams with a topic each, compared with one stream at the same load',
  minutes: 4,
  standalone: true,
  run: (bench) =>
    Lab.with(bench, async (lab) => {
      const targets = {} as Record<Name, GatewayTarget>;
      for (const name of NAMES) targets[name] = await lab.gateway(GATEWAYS[name]);
      await lab.warmUp();
      // The first records of a partition take brokers much longer than later ones.
      for (const name of NAMES) await lab.measure(targets[name], FIRST, FIRST_TIMES);
      const runs = LOADS.flatMap(({ load, shape }) =>
        NAMES.map((name) => [`${name}: ${load}`, () => run(lab, targets[name], shape)] as const),
      );
      const found = await interleave(bench.rounds, Object.fromEntries(runs));
      await lab.verify();
      const figures = [
        ...LOADS.flatMap(({ load }) => {
          return loadFigures(load, (name) => found[`${name}: ${load}`]!);
        }),
        ...NAMES.map((name) => memoryFigure(GATEWAYS[name].name, targets[name])),
        ...lab.decided(),
        ...lab.memory(),
      ];
      const setup =
        `Stream files without schemas, one worker each, ${CONNECTIONS} connections and keys, each ` +
        `to one stream; plain 140-byte events, ${PARTITIONS} partitions in each topic unless noted, ` +
        `linger 10 ms. ${bench.places.text}.`;
      return { setup, figures, problems: lab.problems };
    }),
};

async function run(lab: Lab, target: GatewayTarget, shape: Shape): Promise<Run> {
  const before = await batchesOf(target);
  const { cpuMicrosPerEvent }: Measurement = await lab.measure(target, shape);
  const after = await batchesOf(target);
  const batchEvents = (after.events - before.events) / (after.batches - before.batches);
  return { cpuMicrosPerEvent, batchEvents };
}

/** Counts of stored events and of their batches. */
async function batchesOf({ gateway }: GatewayTarget) {
  const metrics = await atRest(gateway);
  return {
    events: metrics.value('forebay_batch_events_sum'),
    batches: metrics.value('forebay_batch_events_count'),
  };
}

function loadFigures(load: string, of: (name: Name) => readonly Run[]): Figure[] {
  return [
    ...NAMES.map((name) => cpuFigure(`${GATEWAYS[name].name}: ${load}`, of(name))),
    ...NAMES.map((name) => {
      const values = of(name).map(({ batchEvents }) => batchEvents);
      return { name: `${GATEWAYS[name].name}: events per batch, ${load}`, unit: '', values };
    }),
    cpuRatio(
      `16 streams / one stream with as many partitions: ${load}`,
      of('sixteen'),
      of('wide'),
      GOAL,
    ),
    cpuRatio(`16 streams / one stream: ${load}`, of('sixteen'), of('one'), GOAL),
    cpuRatio(`64 streams / one stream: ${load}`, of('all'), of('one')),
  ];
}

/** Returns the maximum memory of the worker so far. */
function memoryFigure(name: string, { gateway }: GatewayTarget): Figure {
  const bytes = Math.max(...gateway.workers().map((pid) => peakBytesOf(pid)));
  return { name: `${name}: maximum worker memory`, unit: 'MiB', values: [bytes / MIB] };
}
