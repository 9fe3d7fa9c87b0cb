/** Cost of record headers, in CPU time and in bytes. */
import { CODECS } from '../../src/kafka/compression/codecs.ts';
import { HEADER_NAMES, type HeaderName } from '../../src/streams/stream-file.ts';
import { atRest } from '../../testing/watch.ts';
import { type Cost, cpuFigure, cpuRatio, interleave } from '../lab/figures.ts';
import { Lab, type Shape } from '../lab/lab.ts';
import type { GatewayTarget } from '../lab/target.ts';
import type { Figure } from '../result.ts';
import type { Scenario } from '../scenario.ts';
import { BATCHED } from './batched.ts';
import { isHere } from './compression.ts';

const SETS: Readonly<Record<string, readonly HeaderName[]>> = {
  none: [],
  three: ['received', 'event-id', 'resent'],
  all: HEADER_NAMES,
};
const LOADS: readonly { readonly load: string; readonly shape: Shape }[] = [
  { load: 'one per frame, 20,000/s', shape: {} },
  { load: '50 per frame, 100,000/s', shape: BATCHED },
];

/** Cost of one run, and the mean size of its records. */
interface Run extends Cost {
  readonly recordBytes: number;
}

export const headers: Scenario = {
  name: 'headers',
  summary: 'no record headers, three and all, raw and compressed',
  minutes: 3,
  standalone: true,
  run: (bench) =>
    Lab.with(bench, async (lab) => {
      const codecs = ['none', ...CODECS.filter(isStrong)];
      const runs = new Map<string, () => Promise<Run>>();
      for (const codec of codecs) {
        for (const [set, names] of Object.entries(SETS)) {
          const name = `${set}, ${codec === 'none' ? 'raw' : codec}`;
          // The events of the load have no ids of their own.
          const env = { KAFKA_COMPRESSION: codec, FOREBAY_ID_FIELD: 'clientId' };
          const target = await lab.gateway({ name, streams: 1, headers: names, env });
          for (const { load, shape } of LOADS) {
            runs.set(`${name}: ${load}`, () => run(lab, target, shape));
          }
        }
      }
      await lab.warmUp();
      const found = await interleave(bench.rounds, Object.fromEntries(runs));
      await lab.verify();
      const figures = [...runs.keys()].flatMap((name): Figure[] => {
        const without = found[name.replace(/^\w+/, 'none')]!;
        const these = found[name]!;
        const values = these.map(({ recordBytes }) => recordBytes);
        return [
          cpuFigure(name, these),
          ...(without === these ? [] : [cpuRatio(`${name} / none`, these, without)]),
          { name: `${name}: bytes per record`, unit: 'B', values },
        ];
      });
      const setup =
        'A stream without schema, one worker each, 64 connections; three headers: received, ' +
        'event-id, resent; plain 140-byte events, more repetitive than real ones, 12 partitions, linger ' +
        `10 ms. ${bench.places.text}.`;
      return {
        setup,
        figures: [...figures, ...lab.decided(), ...lab.memory()],
        problems: lab.problems,
      };
    }),
};

async function run(lab: Lab, target: GatewayTarget, shape: Shape): Promise<Run> {
  const before = await sizesOf(target);
  const { cpuMicrosPerEvent } = await lab.measure(target, shape);
  const after = await sizesOf(target);
  const recordBytes = (after.bytes - before.bytes) / (after.events - before.events);
  return { cpuMicrosPerEvent, recordBytes };
}

/** Returns the bytes of all batches as sent, and their events. */
async function sizesOf({ gateway }: GatewayTarget) {
  const metrics = await atRest(gateway);
  return {
    bytes: metrics.value('forebay_batch_bytes_sum'),
    events: metrics.value('forebay_batch_events_sum'),
  };
}

/** Whether a codec shows what compression saves, and can run here: zstd, else gzip. */
function isStrong(name: (typeof CODECS)[number]): boolean {
  const strong = isHere('zstd') ? 'zstd' : 'gzip';
  return name === strong;
}
