/**
 * Load on brokers: produce requests, their contents, and their CPU cost there. It determines the
 * size of a fleet, since each worker has its own requests.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSecondsOf } from '../lab/cpu.ts';
import { Lab } from '../lab/lab.ts';
import type { GatewayTarget } from '../lab/target.ts';
import type { Bench, Scenario } from '../scenario.ts';

/** Interval at which workers report their metrics. */
const REPORT_MS = 1_000;

/** One kind of load on an instance. */
interface Load {
  readonly name: string;
  readonly workers: number;
  readonly eventsPerSecond: number;
  readonly eventsPerFrame: number;
}

const LOADS: readonly Load[] = [
  { name: '1 worker, 1,000/s', workers: 1, eventsPerSecond: 1_000, eventsPerFrame: 1 },
  { name: '1 worker, 20,000/s', workers: 1, eventsPerSecond: 20_000, eventsPerFrame: 1 },
  { name: '1 worker, 100,000/s', workers: 1, eventsPerSecond: 100_000, eventsPerFrame: 50 },
  { name: '4 workers, 20,000/s', workers: 4, eventsPerSecond: 20_000, eventsPerFrame: 1 },
];

/** Results of one run of a load. */
interface Observations {
  readonly requestsPerSecond: number;
  readonly eventsPerRequest: number;
  readonly brokerMicrosPerEvent: number;
}

export const requests: Scenario = {
  name: 'requests',
  summary: 'produce requests per worker and their cost at the broker, by load',
  minutes: 2,
  standalone: true,
  run: (bench) =>
    Lab.with(bench, async (lab) => {
      const targets = new Map<number, GatewayTarget>();
      for (const workers of new Set(LOADS.map((load) => load.workers))) {
        const env = { FOREBAY_WORKERS: String(workers) };
        const target = await lab.gateway({ name: `${workers} workers`, env, anywhere: true });
        targets.set(workers, target);
      }
      await lab.warmUp();
      const seen = new Map(LOADS.map((load) => [load, [] as Observations[]]));
      for (let round = 0; round < bench.rounds; round++) {
        for (const [load, runs] of seen) {
          runs.push(await observe(bench, lab, targets.get(load.workers)!, load));
        }
      }
      await lab.verify();
      const figures = [...seen].flatMap(([{ name }, runs]) => [
        { name, unit: 'requests/s', values: runs.map((run) => run.requestsPerSecond) },
        { name, unit: 'events/request', values: runs.map((run) => run.eventsPerRequest) },
        ...(bench.brokerPids.length === 0
          ? []
          : [{ name, unit: 'us/event', values: runs.map((run) => run.brokerMicrosPerEvent) }]),
      ]);
      const setup =
        '64 connections, plain 140-byte events, one per frame (50 at 100,000/s), 12 partitions of ' +
        'one broker, linger 10 ms; us/event: CPU of the broker. Workers run on any core.';
      return {
        setup,
        figures: [...figures, ...lab.decided(), ...lab.memory()],
        problems: lab.problems,
      };
    }),
};

/** Counts the whole run, including start and end. */
async function observe(
  bench: Bench,
  lab: Lab,
  target: GatewayTarget,
  load: Load,
): Promise<Observations> {
  const { eventsPerSecond, eventsPerFrame } = load;
  const before = await totalsOf(bench, target);
  const { ackedPerSecond } = await lab.measure(target, { eventsPerSecond, eventsPerFrame });
  await sleep(2 * REPORT_MS);
  const after = await totalsOf(bench, target);
  const events = after.stored - before.stored;
  const eventsPerRequest = events / (after.requests - before.requests);
  return {
    requestsPerSecond: ackedPerSecond / eventsPerRequest,
    eventsPerRequest,
    brokerMicrosPerEvent: ((after.brokerSeconds - before.brokerSeconds) * 1e6) / events,
  };
}

async function totalsOf({ brokerPids }: Bench, { gateway }: GatewayTarget) {
  const metrics = await gateway.metrics();
  return {
    stored: metrics.value('forebay_events_stored_total'),
    requests: metrics.value('forebay_produce_duration_seconds_count'),
    brokerSeconds: brokerPids.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0),
  };
}
