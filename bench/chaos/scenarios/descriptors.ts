import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectionBounds } from '../../../src/config/fd-limits.ts';
import { AcknowledgedClient } from '../../../testing/client.ts';
import { closeAll } from '../../../testing/load.ts';
import { until } from '../../../testing/wait.ts';
import { failover, killBroker } from '../faults.ts';
import type { Scenario } from '../scenario.ts';

const LIMIT = 512;
/** More than the limit allows. */
const CONNECTIONS = 600;
const SECONDS = 10;

export const descriptors: Scenario = {
  name: 'descriptors',
  summary: `a limit of ${LIMIT} descriptors per process, more connections than that, and a broker failure`,
  minutes: 1,
  setup: { wrapper: ['prlimit', `--nofile=${LIMIT}`] },
  async run(world) {
    const { gateway, stage } = world;
    const [worker] = gateway.workers() as [number];
    const open = () => readdirSync(`/proc/${worker}/fd`).length;
    const idle = Array.from({ length: CONNECTIONS }, (_, i) => {
      return new AcknowledgedClient({ url: gateway.wsUrl, name: `idle-${i}` });
    });
    world.after(() => closeAll(idle));
    const opened = await Promise.allSettled(idle.map((client) => client.open()));
    const refused = opened.filter(({ status }) => status === 'rejected').length;
    world.logStep(
      `${CONNECTIONS - refused} connections, ${refused} rejected; ${open()} descriptors open`,
    );
    if (refused === 0 || open() < connectionBounds(LIMIT, LIMIT).webSockets)
      throw new Error('descriptors were not exhausted');
    world.measured('connections rejected', '', refused);
    await world.recovers('the last connection', { most: 1_000 });
    await failover(world, 0, async () => {
      await killBroker(world, 0);
      world.logStep('broker 1 killed');
    });
    await world.recovers('broker failure');
    await stage.cluster.restart(0);
    await world.untilInSync();
    world.logStep('broker 1 restarted');
    await sleep(SECONDS * 1_000);
    await world.recovers('broker recovery');
    await closeAll(idle.filter(({ connected }) => connected));
    world.logStep('idle connections closed');
    await until(() => open() < LIMIT / 2, { what: () => `fewer descriptors than ${open()}` });
    const late = await new AcknowledgedClient({ url: gateway.wsUrl }).open();
    await late.close();
  },
};
