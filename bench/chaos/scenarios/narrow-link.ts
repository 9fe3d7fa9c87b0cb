import { setTimeout as sleep } from 'node:timers/promises';
import { Link } from '../proxy.ts';
import type { Scenario } from '../scenario.ts';

const BYTES_PER_SECOND = 1_000_000;
const SECONDS = 40;
/** More than the link carries. */
const MSG_BYTES = 400;

export const narrowLink: Scenario = {
  name: 'narrow-link',
  summary: `one link of 1 MB/s to all brokers, for ${SECONDS} s, and more events than it carries`,
  minutes: 1,
  setup: { proxied: true, msgBytes: MSG_BYTES },
  async run(world) {
    const { proxies } = world.stage;
    const passed = () => proxies.reduce((sum, { counts }) => sum + counts.passedBytes, 0);
    const wideFrom = passed();
    await sleep(3_000);
    const wide = (passed() - wideFrom) / 3;
    world.measured('bytes before', 'bytes/s', Math.round(wide));
    if (wide < BYTES_PER_SECOND) throw new Error(`the load of ${wide} bytes/s fits the link`);
    const links = { up: new Link(BYTES_PER_SECOND), down: new Link(BYTES_PER_SECOND) };
    for (const proxy of proxies) proxy.faults = { links };
    world.did('1 MB/s');
    const [before, from] = [world.traffic.ledger.acknowledgedMs.size, passed()];
    await sleep(SECONDS * 1_000);
    const { size } = world.traffic.ledger.acknowledgedMs;
    world.measured('bytes meanwhile', 'bytes/s', Math.round((passed() - from) / SECONDS));
    world.measured('acknowledged meanwhile', 'events/s', Math.round((size - before) / SECONDS));
    world.check(size > before, 'a narrow link stopped it');
    for (const proxy of proxies) proxy.faults = {};
    world.did('as wide as before');
    await world.recovers('the narrow link');
  },
};
