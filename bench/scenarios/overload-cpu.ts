/** More load than the worker's core can handle: throughput compared with the maximum. */
import { MIB } from '../../src/config/limits.ts';
import { ratioFigure } from '../lab/figures.ts';
import { Lab } from '../lab/lab.ts';
import type { Measurement } from '../lab/measure.ts';
import type { Target } from '../lab/target.ts';
import { median } from '../report/stats.ts';
import type { Figure, Result } from '../result.ts';
import type { Bench } from '../scenario.ts';

const SHAPE = { eventsPerFrame: 50 };
/** Start of the search for the maximum. */
const PROBE_PER_SECOND = 200_000;
const PROBES = 3;
const PROBE = { warmUpMs: 400, windowMs: 800, dropQueue: true };
const TIMES = { warmUpMs: 400, windowMs: 1_200, settleMs: 20_000, dropQueue: true };
/** Share of the core's capacity; overload would start at 1. */
const PEAK_SHARE = 0.93;
const OVERLOAD = 1.2;
/** Less than 64 connections may have in flight, so that it fills up. */
const SMALL_BUFFER_BYTES = 16 * MIB;
const PEAK_GOAL = { least: 0.9 };
const REFUSAL_GOAL_MS = { most: 50 };

export function atItsCpu(bench: Bench): Promise<Result> {
  return Lab.with(bench, async (lab) => {
    const gateway = await lab.gateway();
    const env = { FOREBAY_BUFFER_BYTES: String(SMALL_BUFFER_BYTES) };
    const small = await lab.gateway({ name: 'small buffer', env });
    await lab.warmUp();
    const most = await peakOf(lab, gateway);
    const atPeak = { ...SHAPE, eventsPerSecond: thousands(most * PEAK_SHARE) };
    const beyond = { ...SHAPE, eventsPerSecond: thousands(most * OVERLOAD) };
    const [peak, held, full]: [Measurement[], Measurement[], Measurement[]] = [[], [], []];
    for (let round = 0; round < bench.rounds; round++) {
      peak.push(await lab.measure(gateway, atPeak, TIMES));
      held.push(await lab.measure(gateway, beyond, TIMES));
      full.push(await lab.measure(small, beyond, TIMES));
    }
    await lab.verify();
    const figures = [
      { name: 'CPU: offered', unit: 'events/s', values: [beyond.eventsPerSecond] },
      acked('CPU: maximum acknowledged without overload', peak),
      ...overloaded('held by credit', held, peak),
      ...overloaded('buffer full', full, peak),
      ...lab.decided(),
      ...lab.memory(),
    ];
    const setup =
      `CPU: 64 connections, 50 plain events of 140 bytes per frame, ${OVERLOAD} times the capacity of ` +
      'the worker’s core, estimated from the CPU per event. *Held by credit*: a 64 MiB buffer, ' +
      'which exceeds the total credit; *buffer full*: a 16 MiB buffer, which does not. ' +
      `The worker used ${share(held)} and ${share(full)} of its core, the load client ` +
      `${clientShare(full)} of its own. ${bench.places.text}.`;
    return { setup, figures, problems: lab.problems };
  });
}

/** Returns the events per second that use a whole core; the CPU per event falls with the rate. */
async function peakOf(lab: Lab, target: Target): Promise<number> {
  let most = PROBE_PER_SECOND;
  for (let probe = 0; probe < PROBES; probe++) {
    const shape = { ...SHAPE, eventsPerSecond: thousands(most) };
    const { workerCpuMicrosPerEvent } = await lab.measure(target, shape, PROBE);
    most = Math.max(most, 1e6 / workerCpuMicrosPerEvent);
  }
  return most;
}

function overloaded(how: string, found: readonly Measurement[], peak: readonly Measurement[]) {
  const [these, those] = [perSecond(found), perSecond(peak)];
  const figures = [
    acked(`CPU, ${how}: acknowledged`, found),
    ratioFigure(`CPU, ${how}: acknowledged / the most`, these, those, PEAK_GOAL),
    { name: `CPU, ${how}: rejected`, unit: 'events', values: refusedEvents(found) },
  ];
  // Without rejections there is no rejection time.
  const refusing = found.filter(({ report }) => report.refusal.max > 0);
  if (refusing.length === 0) return figures;
  const refusals = refusing.map(({ report }) => report.refusal.p99);
  const name = `CPU, ${how}: rejection p99`;
  return [...figures, { name, unit: 'ms', values: refusals, goal: REFUSAL_GOAL_MS }];
}

function perSecond(found: readonly Measurement[]): number[] {
  return found.map(({ ackedPerSecond }) => ackedPerSecond);
}

function acked(name: string, found: readonly Measurement[]): Figure {
  return { name, unit: 'events/s', values: perSecond(found) };
}

/** Returns the share of the worker's core. */
function share(found: readonly Measurement[]): string {
  const shares = found.map((one) => (one.workerCpuMicrosPerEvent * one.ackedPerSecond) / 1e6);
  return `${Math.round(median(shares) * 100)}%`;
}

function clientShare(found: readonly Measurement[]): string {
  return `${Math.round(median(found.map(({ report }) => report.cpuShare)) * 100)}%`;
}

function thousands(perSecond: number): number {
  return Math.round(perSecond / 1_000) * 1_000;
}

/** Returns the number of rejected events in each measurement. */
export function refusedEvents(found: readonly Measurement[]): number[] {
  return found.map(({ report }) =>
    Object.values(report.refusedEvents).reduce((sum, events) => sum + events, 0),
  );
}
