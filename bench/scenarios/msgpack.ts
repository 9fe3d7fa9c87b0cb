/** The same events as MessagePack and as JSON. */
import { cpuFigure, cpuRatio, interleave, latencyFigures } from '../lab/figures.ts';
import { Lab } from '../lab/lab.ts';
import type { Scenario } from '../scenario.ts';

const SINGLE = { eventsPerSecond: 20_000 };
const BATCHED = { eventsPerSecond: 100_000, eventsPerFrame: 50 };
const MSGPACK = { encoding: 'msgpack' } as const;

export const msgpack: Scenario = {
  name: 'msgpack',
  summary: 'MessagePack compared with JSON, at 20,000/s (1 event per frame) and 100,000/s (50)',
  minutes: 1,
  standalone: true,
  run: (bench) =>
    Lab.with(bench, async (lab) => {
      const gateway = await lab.gateway();
      await lab.warmUp();
      // Warms up the code that only MessagePack uses.
      await lab.measure(gateway, { ...BATCHED, ...MSGPACK });
      const found = await interleave(bench.rounds, {
        json: () => lab.measure(gateway, SINGLE),
        msgpack: () => lab.measure(gateway, { ...SINGLE, ...MSGPACK }),
        jsonBatched: () => lab.measure(gateway, BATCHED),
        msgpackBatched: () => lab.measure(gateway, { ...BATCHED, ...MSGPACK }),
      });
      await lab.verify();
      const figures = [
        cpuFigure('JSON 20,000/s', found.json),
        cpuFigure('MessagePack 20,000/s', found.msgpack),
        cpuRatio('MessagePack / JSON 20,000/s', found.msgpack, found.json),
        cpuFigure('JSON 100,000/s 50 per frame', found.jsonBatched),
        cpuFigure('MessagePack 100,000/s 50 per frame', found.msgpackBatched),
        cpuRatio('MessagePack / JSON 50 per frame', found.msgpackBatched, found.jsonBatched),
        ...latencyFigures('MessagePack 20,000/s', found.msgpack),
        ...lab.decided(),
        ...lab.memory(),
      ];
      const setup =
        'One worker, 64 connections, plain events with 140 bytes of JSON; 20,000/s one per frame, ' +
        `100,000/s with 50 per frame; 12 partitions, linger 10 ms. ${bench.places.text}.`;
      return { setup, figures, problems: lab.problems };
    }),
};
