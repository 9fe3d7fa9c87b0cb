/** A Kafka outage under load: memory stays bounded, nothing is lost. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type KafkaCluster, startCluster } from '../../deploy/kafka/cluster.ts';
import { LIMITS, MIB } from '../../src/config/limits.ts';
import { SETTINGS } from '../../src/config/settings.ts';
import { Lab } from '../lab/lab.ts';
import type { Bench, Scenario } from '../scenario.ts';

const DOWN_MS = 60_000;
/** Load before the outage, and after the broker's restart. */
const BEFORE_MS = 3_000;
const AFTER_MS = 5_000;
const SETTLE_MS = 60_000;
/** Enough connections and bytes to fill the buffer. */
const SHAPE = { connections: 512, eventsPerSecond: 40_000, eventsPerFrame: 50 };

export const outage: Scenario = {
  name: 'outage',
  summary: `broker down for ${DOWN_MS / 1000} s under load: bounded memory, no loss`,
  minutes: 2,
  ownKafka: true,
  async run(bench) {
    const cluster = await startCluster();
    try {
      return await underLoad({ ...bench, brokers: cluster.brokers }, cluster);
    } finally {
      await cluster.close();
    }
  },
};

function underLoad(bench: Bench, cluster: KafkaCluster) {
  return Lab.with(bench, async (lab) => {
    const gateway = await lab.gateway();
    const windowMs = BEFORE_MS + DOWN_MS + AFTER_MS;
    const times = { windowMs, settleMs: SETTLE_MS, dropQueue: true };
    const measured = lab.measure(gateway, SHAPE, times, 1);
    const gone = outageOf(cluster);
    const [{ report }, downSeconds] = await Promise.all([measured, gone]);
    const metrics = await gateway.gateway.metrics();
    const unaccounted = metrics.value('forebay_events_unaccounted');
    if (unaccounted !== 0) lab.problems.push(`unaccounted is ${unaccounted}`);
    await lab.verify();
    const budget = SETTINGS.bufferBytes.defaultValue() / MIB;
    const refused = Object.values(report.refusedEvents).reduce((sum, events) => sum + events, 0);
    const figures = [
      { name: 'broker down', unit: 's', values: [downSeconds] },
      ...lab.decided(),
      ...lab.memory(),
      { name: 'sent', unit: 'events', values: [report.sentEvents] },
      { name: 'rejected', unit: 'events', values: [refused] },
      { name: 'maximum acknowledgement latency', unit: 's', values: [report.latency.max / 1000] },
    ];
    const setup =
      `One worker, ${SHAPE.connections} connections, 40,000 events/s, 50 plain ones of 140 bytes per frame; ` +
      `the only broker is killed and restarted after ${DOWN_MS / 1000} s. Buffer of ${budget} MiB; ` +
      `credit of ${LIMITS.creditFrames} frames per connection.`;
    return { setup, figures, problems: lab.problems };
  });
}

/** @returns seconds from the kill until the broker responds again */
async function outageOf(cluster: KafkaCluster): Promise<number> {
  await sleep(BEFORE_MS);
  const sinceMs = performance.now();
  await cluster.kill(0);
  await sleep(DOWN_MS);
  await cluster.restart(0);
  return (performance.now() - sinceMs) / 1000;
}
