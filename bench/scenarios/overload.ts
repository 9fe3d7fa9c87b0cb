/**
 * More load than can be stored, since a quota admits a third of it, or the worker's core is
 * saturated: throughput holds, rejections are fast, nothing is lost.
 */
import { startCluster } from '../../deploy/kafka/cluster.ts';
import { MIB } from '../../src/config/limits.ts';
import { setProduceQuota } from '../../testing/quota.ts';
import { ratioFigure } from '../lab/figures.ts';
import { Lab } from '../lab/lab.ts';
import type { Measurement } from '../lab/measure.ts';
import type { GatewayTarget } from '../lab/target.ts';
import type { Result } from '../result.ts';
import type { Bench, Scenario } from '../scenario.ts';
import { atItsCpu, refusedEvents } from './overload-cpu.ts';

const CLIENT_ID = 'overloaded';
const EVENTS_PER_SECOND = 30_000;
const SLOWDOWN = 3;
/** Frames large enough to use the byte credit of all connections, and thereby the buffer. */
const SHAPE = { eventsPerSecond: EVENTS_PER_SECOND, eventsPerFrame: 50 };
/** Allowed minimum: full after a second. */
const BUFFER_BYTES = 4 * MIB;
const PEAK_GOAL = { least: 0.9 };
const REFUSAL_GOAL_MS = { most: 50 };

export const overload: Scenario = {
  name: 'overload',
  summary:
    'Kafka throttled to a third of the load by a quota, then more load than a worker can handle',
  minutes: 2,
  async run(bench) {
    const [slowed, atItsEnd] = [await withSlowKafka(bench), await atItsCpu(bench)];
    return {
      setup: `${slowed.setup} ${atItsEnd.setup}`,
      figures: [...slowed.figures, ...atItsEnd.figures],
      problems: [...slowed.problems, ...atItsEnd.problems],
    };
  },
};

/** Uses a Kafka of its own, with a fast quota. */
async function withSlowKafka(bench: Bench): Promise<Result> {
  // Averages the quota over two seconds instead of eleven.
  const cluster = await startCluster({
    overrides: { 'quota.window.num': '2', 'quota.window.size.seconds': '1' },
  });
  try {
    return await underQuota({ ...bench, brokers: cluster.brokers });
  } finally {
    await cluster.close();
  }
}

function underQuota(bench: Bench): Promise<Result> {
  return Lab.with(bench, async (lab) => {
    const env = { FOREBAY_BUFFER_BYTES: String(BUFFER_BYTES), KAFKA_CLIENT_ID: CLIENT_ID };
    const gateway = await lab.gateway({ env });
    const quota = (bytesPerSecond: number | undefined) =>
      setProduceQuota(bench.brokers[0]!, { clientId: CLIENT_ID, bytesPerSecond });
    await lab.measure(gateway, SHAPE);
    const bytes = await bytesPerEvent(gateway);
    const found: Measurement[] = [];
    for (let round = 0; round < bench.rounds; round++) {
      await quota(Math.round((bytes * EVENTS_PER_SECOND) / SLOWDOWN));
      const times = { warmUpMs: 2_000, windowMs: 4_000, settleMs: 20_000, dropQueue: true };
      found.push(await lab.measure(gateway, SHAPE, times));
      await quota(undefined);
    }
    await lab.verify();
    const peak = EVENTS_PER_SECOND / SLOWDOWN;
    const acked = found.map(({ ackedPerSecond }) => ackedPerSecond);
    const refusals = (which: 'p50' | 'p99') => found.map(({ report }) => report.refusal[which]);
    const peaks = found.map(() => peak);
    const figures = [
      { name: 'quota: offered', unit: 'events/s', values: [EVENTS_PER_SECOND] },
      { name: 'quota: throughput allowed', unit: 'events/s', values: [peak] },
      { name: 'quota: acknowledged', unit: 'events/s', values: acked },
      ratioFigure('quota: acknowledged / let through', acked, peaks, PEAK_GOAL),
      { name: 'quota: rejected', unit: 'events', values: refusedEvents(found) },
      { name: 'quota: rejection p50', unit: 'ms', values: refusals('p50') },
      { name: 'quota: rejection p99', unit: 'ms', values: refusals('p99'), goal: REFUSAL_GOAL_MS },
      ...lab.decided(),
      ...lab.memory(),
    ];
    const setup =
      `Quota: 64 connections offer ${EVENTS_PER_SECOND / 1000},000 events/s, 50 plain ones of 140 bytes per frame; ` +
      'a broker quota admits a third of the bytes; buffer of 4 MiB. Clients respect their credit ' +
      'and queue the rest. Rejection: from writing a frame to its nack.';
    return { setup, figures, problems: lab.problems };
  });
}

/** Returns the bytes per event in batches, over everything sent so far. */
async function bytesPerEvent({ gateway }: GatewayTarget): Promise<number> {
  const metrics = await gateway.metrics();
  const bytes = metrics.value('forebay_batch_bytes_sum');
  return bytes / metrics.value('forebay_batch_events_sum');
}
