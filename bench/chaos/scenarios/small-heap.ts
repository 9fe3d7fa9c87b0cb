import { setTimeout as sleep } from 'node:timers/promises';
import { MIB } from '../../../src/config/limits.ts';
import { setProduceQuota } from '../../../testing/quota.ts';
import { measureRejections } from '../rejections.ts';
import type { Scenario } from '../scenario.ts';

const HEAP_MB = 256;
/** Full soon at this rate, so that events are rejected most of the time. */
const BUFFER_BYTES = 32 * MIB;
const BYTES_PER_SECOND = 50_000;
const SECONDS = 60;

export const smallHeap: Scenario = {
  name: 'small-heap',
  summary: `a ${HEAP_MB} MiB V8 heap and ${SECONDS} s of overload with a full buffer`,
  minutes: 2,
  setup: {
    nodeArgs: [`--max-old-space-size=${HEAP_MB}`],
    env: { FOREBAY_BUFFER_BYTES: String(BUFFER_BYTES) },
    kafka: { 'quota.window.num': '2', 'quota.window.size.seconds': '1' },
    msgBytes: 500,
  },
  async run(world) {
    const { gateway } = world;
    const [broker] = world.stage.cluster.brokers;
    const set = (bytesPerSecond: number | undefined) =>
      setProduceQuota(broker!, { clientId: 'forebay', bytesPerSecond });
    const workers = gateway.workers();
    await set(BYTES_PER_SECOND);
    world.logStep(`quota of ${BYTES_PER_SECOND / 1_000} kB/s per broker set`);
    await sleep(SECONDS * 1_000);
    const metrics = await gateway.metrics();
    const refused = metrics.value('forebay_events_refused_total', { reason: 'buffer_full' });
    world.measured('rejected with buffer_full', 'events', refused);
    await set(undefined);
    world.logStep('quota removed');
    await world.recovers('overload');
    measureRejections(world);
    world.check(String(gateway.workers()) === String(workers), 'a worker was restarted');
  },
};
