import { setTimeout as sleep } from 'node:timers/promises';
import { setProduceQuota } from '../../../testing/quota.ts';
import type { Scenario } from '../scenario.ts';

/** Each broker takes so much, about a third of what comes. */
const BYTES_PER_SECOND = 100_000;
const BUFFER_BYTES = 16 * 1024 * 1024;
const SECONDS = 45;

export const quota: Scenario = {
  name: 'quota',
  summary: `a quota of ${BYTES_PER_SECOND / 1_000} kB/s at each broker, for ${SECONDS} s`,
  minutes: 1,
  setup: {
    env: { FOREBAY_BUFFER_BYTES: String(BUFFER_BYTES) },
    // An average over two seconds instead of eleven.
    kafka: { 'quota.window.num': '2', 'quota.window.size.seconds': '1' },
    msgBytes: 200,
  },
  async run(world) {
    const [broker] = world.stage.cluster.brokers;
    const set = (bytesPerSecond: number | undefined) =>
      setProduceQuota(broker!, { clientId: 'forebay', bytesPerSecond });
    await set(BYTES_PER_SECOND);
    world.did('the quota is set');
    const before = world.traffic.ledger.acknowledgedMs.size;
    await sleep(SECONDS * 1_000);
    const rate = (world.traffic.ledger.acknowledgedMs.size - before) / SECONDS;
    world.measured('acknowledged meanwhile', 'events/s', Math.round(rate));
    if (rate > world.eventsPerSecond / 2) throw new Error(`${rate}/s: the quota was not felt`);
    await set(undefined);
    world.did('the quota is gone');
    await world.recovers('the quota');
  },
};
