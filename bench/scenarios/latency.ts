/** Acknowledgement latency, compared with a produce request of one record; and the plots. */
import { cpuOf, latencyFigures, ratioFigure } from '../lab/figures.ts';
import { Lab } from '../lab/lab.ts';
import type { Measurement } from '../lab/measure.ts';
import type { Target } from '../lab/target.ts';
import { median } from '../report/stats.ts';
import type { Figure, Plot } from '../result.ts';
import type { Scenario } from '../scenario.ts';

const LINGER_MS = 10;
const TIMES_OF_BARE = { p50: 1.5, p99: 3 } as const;
/** Loads of the plots: one short window each. */
const LOADS = [1_000, 5_000, 10_000, 20_000, 40_000];
const BARE_TIMES = { warmUpMs: 500, windowMs: 2_500 };
const SWEEP = { windowMs: 1_500 };

interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

export const latency: Scenario = {
  name: 'latency',
  summary: 'acknowledgement latency at 20,000/s compared with a bare produce; plots by load',
  minutes: 1,
  run: (bench) =>
    Lab.with(bench, async (lab) => {
      const [gateway, floor, bare] = [await lab.gateway(), await lab.floor(), await lab.bare()];
      await lab.warmUp();
      const found: Measurement[] = [];
      const bares: Percentiles[] = [];
      for (let round = 0; round < bench.rounds; round++) {
        const sample = await bare.measure(BARE_TIMES);
        bares.push(sample);
        const { p50, p99, sends } = sample;
        bench.log(`bare: ${sends} sends, p50 ${p50.toFixed(2)} p99 ${p99.toFixed(2)} ms`);
        found.push(await lab.measure(gateway));
      }
      const plots = await sweep(lab, gateway, floor);
      await lab.verify();
      const figures = [
        ...bareFigures(bares),
        ...latencyFigures('gateway 20,000/s', found).map((figure, index) => ({
          ...figure,
          goal: { most: bound(bares, index === 0 ? 'p50' : 'p99') },
        })),
        against('p50', found, bares),
        against('p99', found, bares),
        ...lab.decided(),
        ...lab.memory(),
      ];
      const setup =
        'One worker, 64 connections, plain 140-byte events, one per frame, 20,000/s; 12 partitions, ' +
        'linger 10 ms. Latency from the scheduled send time to the ack, including up to 1 ms of ' +
        'timer lag in the load client. Bare: kafkajs, one record of 140 bytes at a time, ' +
        `acks=all, without other load. ${bench.places.text}.`;
      return { setup, figures, plots, problems: lab.problems };
    }),
};

/** Returns the linger plus a multiple of the bare produce. */
function bound(bares: readonly Percentiles[], which: keyof Percentiles): number {
  return LINGER_MS + TIMES_OF_BARE[which] * median(bares.map((bare) => bare[which]));
}

function bareFigures(bares: readonly Percentiles[]): Figure[] {
  return (['p50', 'p99'] as const).map((which) => {
    return { name: `bare produce: ${which}`, unit: 'ms', values: bares.map((bare) => bare[which]) };
  });
}

/** Returns the share of the goal, for comparison with the baseline. */
function against(
  which: keyof Percentiles,
  found: readonly Measurement[],
  bares: readonly Percentiles[],
): Figure {
  const these = found.map(({ report }) => report.latency[which]);
  const those = bares.map((bare) => LINGER_MS + TIMES_OF_BARE[which] * bare[which]);
  const name = `ack ${which} / (linger + ${TIMES_OF_BARE[which]} x bare)`;
  return ratioFigure(name, these, those, { most: 1 });
}

async function sweep(lab: Lab, gateway: Target, floor: Target): Promise<Plot[]> {
  const [ours, theirs]: Measurement[][] = [[], []];
  for (const eventsPerSecond of LOADS) {
    ours!.push(await lab.measure(gateway, { eventsPerSecond }, SWEEP));
    theirs!.push(await lab.measure(floor, { eventsPerSecond }, SWEEP));
  }
  const points = (values: readonly number[]) => values.map((y, index) => ({ x: LOADS[index]!, y }));
  const acks = (which: keyof Percentiles) =>
    points(ours!.map(({ report }) => report.latency[which]));
  const xLabel = 'events/s, one per frame';
  return [
    {
      file: 'cpu-per-event',
      title: 'CPU per event',
      xLabel,
      yLabel: 'us/event',
      curves: [
        { name: 'gateway', points: points(cpuOf(ours!)) },
        { name: 'floor', points: points(cpuOf(theirs!)) },
      ],
    },
    {
      file: 'latency',
      title: 'Acknowledgement latency',
      xLabel,
      yLabel: 'ms',
      curves: [
        { name: 'p50', points: acks('p50') },
        { name: 'p99', points: acks('p99') },
      ],
    },
  ];
}
