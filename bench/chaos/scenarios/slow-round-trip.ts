import { setTimeout as sleep } from 'node:timers/promises';
import type { Scenario } from '../scenario.ts';

const ROUND_TRIP_MS = 1_000;
const SECONDS = 40;

export const slowRoundTrip: Scenario = {
  name: 'slow-round-trip',
  summary: `a round trip of ${ROUND_TRIP_MS / 1_000} s to each broker, for ${SECONDS} s`,
  minutes: 1,
  setup: { proxied: true },
  async run(world) {
    const { proxies } = world.stage;
    for (const proxy of proxies) proxy.faults = { delayMs: ROUND_TRIP_MS / 2 };
    world.logStep('round trip 1 s');
    const ms = await world.traffic.untilAcknowledged(30_000);
    if (ms < ROUND_TRIP_MS) throw new Error(`acknowledged within ${ms} ms: no delay`);
    world.measured('first acknowledgement on the slow network', 'ms', Math.round(ms));
    const before = world.traffic.ledger.acknowledgedMs.size;
    await sleep(SECONDS * 1_000);
    const stored = (world.traffic.ledger.acknowledgedMs.size - before) / SECONDS;
    world.measured('acknowledged during the fault', 'events/s', Math.round(stored));
    world.check(stored > 0, 'no event stored with a round trip of 1 s');
    for (const proxy of proxies) proxy.faults = {};
    world.logStep('delay removed');
    await world.recovers('the slow network');
  },
};
