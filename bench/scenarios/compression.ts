/** Total cost of KAFKA_COMPRESSION in a worker. */
import { CODECS, loadCodec } from '../../src/kafka/compression/codecs.ts';
import { cpuFigure, cpuRatio, interleave, latencyFigures } from '../lab/figures.ts';
import { Lab } from '../lab/lab.ts';
import type { Scenario } from '../scenario.ts';

const SINGLE = { eventsPerSecond: 20_000 };
const BATCHED = { eventsPerSecond: 100_000, eventsPerFrame: 50 };

export const compression: Scenario = {
  name: 'compression',
  summary: 'each codec compared with none, at 20,000/s (1 event per frame) and 100,000/s (50)',
  minutes: 2,
  standalone: true,
  run: (bench) =>
    Lab.with(bench, async (lab) => {
      const names = ['none', ...CODECS.filter(isHere)];
      const runs = new Map<string, () => ReturnType<Lab['measure']>>();
      for (const name of names) {
        const gateway = await lab.gateway({ name, env: { KAFKA_COMPRESSION: name } });
        runs.set(`${name} 20,000/s`, () => lab.measure(gateway, SINGLE));
        runs.set(`${name} 100,000/s`, () => lab.measure(gateway, BATCHED));
      }
      await lab.warmUp();
      const found = await interleave(bench.rounds, Object.fromEntries(runs));
      await lab.verify();
      const figures = [...runs.keys()].flatMap((name) => {
        const measured = found[name] ?? [];
        const without = found[name.replace(/^\S+/, 'none')] ?? [];
        const ratio = name.startsWith('none')
          ? []
          : [cpuRatio(`${name} / none`, measured, without)];
        return [cpuFigure(name, measured), ...ratio, ...latencyFigures(name, measured)];
      });
      const setup =
        'One worker each, 64 connections, plain 140-byte events, more repetitive than real ones; ' +
        `20,000/s one per frame, 100,000/s with 50 per frame; 12 partitions, linger 10 ms. ${bench.places.text}.`;
      return {
        setup,
        figures: [...figures, ...lab.decided(), ...lab.memory()],
        problems: lab.problems,
      };
    }),
};

/** Whether this version of Node.js has a codec. */
export function isHere(name: (typeof CODECS)[number]): boolean {
  try {
    loadCodec(name);
    return true;
  } catch {
    return false;
  }
}
