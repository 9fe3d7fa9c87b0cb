import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { AcknowledgedClient } from '../../../test/support/client.ts';
import { closeAll } from '../../../test/support/load.ts';
import { until } from '../../../test/support/wait.ts';
import { failover, killBroker } from '../faults.ts';
import type { Scenario } from '../scenario.ts';
import type { World } from '../world.ts';

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
    const { gateway } = world;
    const [worker] = gateway.workers() as [number];
    const open = () => readdirSync(`/proc/${worker}/fd`).length;
    const idle = Array.from({ length: CONNECTIONS }, (_, i) => {
      return new AcknowledgedClient({ url: gateway.wsUrl, name: `idle-${i}`, reconnect: true });
    });
    world.after(() => closeAll(idle));
    const opening = Promise.allSettled(idle.map((client) => client.open()));
    await until(() => open() >= LIMIT - 2, { what: () => `${LIMIT} files, not ${open()}` });
    world.did(`the worker has ${open()} files open`);
    await sleep(SECONDS * 1_000);
    await world.recovers('the last descriptor', { most: 1_000 });
    await failWhileFull(world);
    await closeAll(idle);
    await opening;
    world.did('the idle connections are gone');
    await until(() => open() < LIMIT / 2, { what: () => `fewer files, not ${open()}` });
    const late = await new AcknowledgedClient({ url: gateway.wsUrl }).open();
    await late.close();
    await world.recovers('the end of the shortage');
  },
};

/** A broker dies when there is no descriptor for a new connection. */
async function failWhileFull(world: World): Promise<void> {
  await failover(world, 0, async () => {
    await killBroker(world, 0);
    world.did('broker 1 killed');
  });
  await world.recovers('a broker’s death, without a descriptor left');
  await world.stage.cluster.restart(0);
  await world.untilInSync();
}
