/**
 * One event per frame, the most expensive way to send: compared with a server that discards its
 * input, and with a naive implementation.
 */
import { cpuFigure, cpuRatio, interleave, latencyFigures } from '../lab/figures.ts';
import { Lab, type Shape } from '../lab/lab.ts';
import type { Target } from '../lab/target.ts';
import type { Scenario } from '../scenario.ts';

/** One event per frame and packet. */
export const MODERATE: Shape = { eventsPerSecond: 20_000 };
/** One event per frame, several frames per packet. */
export const HIGH: Shape = { eventsPerSecond: 60_000, framesPerPacket: 4 };
/** Share of the maximum that naive acknowledges under overload. */
const HELD_SHARE = 0.9;
const STEP = 1_000;
const FLOOR_GOAL = { most: 1.4 };
const HIGH_FLOOR_GOAL = { most: 1.6 };
const NAIVE_GOAL = { least: 3 };
const NAIVE_MOST_GOAL = { least: 4 };

export const single: Scenario = {
  name: 'single',
  summary: 'one event per frame, 20,000/s and 60,000/s, compared with floor and naive',
  minutes: 2,
  run: (bench) =>
    Lab.with(bench, async (lab) => {
      const [gateway, floor, naive] = [await lab.gateway(), await lab.floor(), await lab.naive()];
      await lab.warmUp();
      const held = await peakOf(lab, naive);
      const most: Shape = { ...HIGH, eventsPerSecond: held };
      const found = await interleave(bench.rounds, {
        gateway: () => lab.measure(gateway, MODERATE),
        floor: () => lab.measure(floor, MODERATE),
        naive: () => lab.measure(naive, MODERATE),
        gatewayHigh: () => lab.measure(gateway, HIGH),
        floorHigh: () => lab.measure(floor, HIGH),
        gatewayMost: () => lab.measure(gateway, most),
        naiveMost: () => lab.measure(naive, most),
      });
      await lab.verify();
      const { missing, doubled, disordered } = await lab.balance(naive);
      const figures = [
        cpuFigure('gateway 20,000/s', found.gateway),
        cpuFigure('floor 20,000/s', found.floor),
        cpuFigure('naive 20,000/s', found.naive),
        cpuRatio('gateway / floor 20,000/s', found.gateway, found.floor, FLOOR_GOAL),
        cpuRatio('naive / gateway 20,000/s', found.naive, found.gateway, NAIVE_GOAL),
        cpuFigure('gateway 60,000/s', found.gatewayHigh),
        cpuFigure('floor 60,000/s', found.floorHigh),
        cpuRatio('gateway / floor 60,000/s', found.gatewayHigh, found.floorHigh, HIGH_FLOOR_GOAL),
        { name: 'naive’s most', unit: 'events/s', values: [held] },
        cpuFigure('gateway at naive’s most', found.gatewayMost),
        cpuFigure('naive at its most', found.naiveMost),
        cpuRatio(
          'naive / gateway at naive’s most',
          found.naiveMost,
          found.gatewayMost,
          NAIVE_MOST_GOAL,
        ),
        ...latencyFigures('naive 20,000/s', found.naive),
        {
          name: 'naive: neither acknowledged nor rejected',
          unit: 'events',
          values: [lab.account(naive).unanswered()],
        },
        { name: 'naive: acknowledged and missing', unit: 'events', values: [missing] },
        { name: 'naive: stored twice', unit: 'events', values: [doubled] },
        { name: 'naive: out of order', unit: 'events', values: [disordered] },
        ...lab.decided(),
        ...lab.memory(),
      ];
      const setup =
        'One worker, 64 connections, plain 140-byte events, one per frame; 20,000/s with 1 frame per ' +
        'packet, 60,000/s and naive’s most with 4; 12 partitions, linger 10 ms. ' +
        `${bench.places.text}.`;
      return { setup, figures, problems: lab.problems };
    }),
};

/** Returns the maximum rate of a server under overload, rounded down. */
async function peakOf(lab: Lab, target: Target): Promise<number> {
  const times = { warmUpMs: 2_000, settleMs: 60_000, dropQueue: true };
  const { ackedPerSecond } = await lab.measure(target, HIGH, times);
  return Math.max(STEP, Math.floor((ackedPerSecond * HELD_SHARE) / STEP) * STEP);
}
