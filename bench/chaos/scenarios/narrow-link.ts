import { setTimeout as sleep } from 'node:timers/promises';
import { Link } from '../proxy.ts';
import type { Scenario } from '../scenario.ts';

const BYTES_PER_SECOND = 1_000_000;
const SECONDS = 40;
/** More than the link can carry. */
const MSG_BYTES = 400;

export const narrowLink: Scenario = {
  name: 'narrow-link',
  summary: `a 1 MB/s link to all brokers for ${SECONDS} s, with more events than it can carry`,
  minutes: 1,
  setup: { proxied: true, msgBytes: MSG_BYTES },
  async run(world) {
    const { proxies } = world.stage;
    const passed = () => proxies.reduce((sum, { counts }) => sum + counts.passedBytes, 0);
    const wideFrom = passed();
    await sleep(3_000);
    const wide = (passed() - wideFrom) / 3;
    world.measured('throughput before', 'bytes/s', Math.round(wide));
    if (wide < BYTES_PER_SECOND) throw new Error(`the load of ${wide} bytes/s fits the link`);
    const links = { up: new Link(BYTES_PER_SECOND), down: new Link(BYTES_PER_SECOND) };
    for (const proxy of proxies) proxy.faults = { links };
    world.logStep('link limited to 1 MB/s');
    const [before, from] = [world.traffic.ledger.acknowledgedMs.size, passed()];
    await sleep(SECONDS * 1_000);
    const { size } = world.traffic.ledger.acknowledgedMs;
    world.measured(
      'throughput during the fault',
      'bytes/s',
      Math.round((passed() - from) / SECONDS),
    );
    world.measured(
      'acknowledged during the fault',
      'events/s',
      Math.round((size - before) / SECONDS),
    );
    world.check(size > before, 'no event stored over the narrow link');
    for (const proxy of proxies) proxy.faults = {};
    world.logStep('limit removed');
    await world.recovers('the narrow link');
  },
};
