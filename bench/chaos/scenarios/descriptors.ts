import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectionBounds } from '../../../src/config/fd-limits.ts';
import { AcknowledgedClient } from '../../../testing/client.ts';
import { closeAll } from '../../../testing/load.ts';
import { until } from '../../../testing/wait.ts';
import { failover, killBroker } from '../faults.ts';
import type { Scenario } from '../scenario.ts';

const LIMIT = 512;
/** More than there is room for. */
const CONNECTIONS = 600;
const SECONDS = 10;

export const descriptors: Scenario = {
  name: 'descriptors',
  summary: `at most ${LIMIT} files for each process, more connections than that, and a broker’s death`,
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
    world.did(`${CONNECTIONS - refused} connections, ${refused} refused; ${open()} files are open`);
    if (refused === 0 || open() < connectionBounds(LIMIT, LIMIT).webSockets)
      throw new Error('there were files enough');
    world.measured('connections refused', '', refused);
    await world.recovers('the last connection', { most: 1_000 });
    await failover(world, 0, async () => {
      await killBroker(world, 0);
      world.did('broker 1 killed');
    });
    await world.recovers('a broker’s death');
    await stage.cluster.restart(0);
    await world.untilInSync();
    world.did('broker 1 is back');
    await sleep(SECONDS * 1_000);
    await world.recovers('a broker’s return');
    await closeAll(idle.filter(({ connected }) => connected));
    world.did('the idle connections are gone');
    await until(() => open() < LIMIT / 2, { what: () => `fewer files, not ${open()}` });
    const late = await new AcknowledgedClient({ url: gateway.wsUrl }).open();
    await late.close();
  },
};
