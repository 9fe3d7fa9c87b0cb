import { setTimeout as sleep } from 'node:timers/promises';
import { setProduceQuota } from '../../../testing/quota.ts';
import type { Scenario } from '../scenario.ts';

/** Quota per broker, about a third of the load. */
const BYTES_PER_SECOND = 100_000;
const BUFFER_BYTES = 16 * 1024 * 1024;
const SECONDS = 45;

export const quota: Scenario = {
  name: 'quota',
  summary: `a produce quota of ${BYTES_PER_SECOND / 1_000} kB/s per broker, for ${SECONDS} s`,
  minutes: 1,
  setup: {
    env: { FOREBAY_BUFFER_BYTES: String(BUFFER_BYTES) },
    // Averages over two seconds instead of eleven.
    kafka: { 'quota.window.num': '2', 'quota.window.size.seconds': '1' },
    msgBytes: 200,
  },
  async run(world) {
    const [broker] = world.stage.cluster.brokers;
    const set = (bytesPerSecond: number | undefined) =>
      setProduceQuota(broker!, { clientId: 'forebay', bytesPerSecond });
    await set(BYTES_PER_SECOND);
    world.logStep('quota set');
    const before = world.traffic.ledger.acknowledgedMs.size;
    await sleep(SECONDS * 1_000);
    const rate = (world.traffic.ledger.acknowledgedMs.size - before) / SECONDS;
    world.measured('acknowledged during the fault', 'events/s', Math.round(rate));
    if (rate > world.eventsPerSecond / 2) throw new Error(`${rate}/s: the quota had no effect`);
    await set(undefined);
    world.logStep('quota removed');
    await world.recovers('quota removal');
  },
};
