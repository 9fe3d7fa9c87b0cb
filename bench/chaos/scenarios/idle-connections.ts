import { closeAll } from '../../../testing/load.ts';
import { until } from '../../../testing/wait.ts';
import { killProcess } from '../faults.ts';
import { idleClients } from '../idle-clients.ts';
import type { Scenario } from '../scenario.ts';

const CONNECTIONS = 5_000;
const BACK_MS_MAX = 15_000;

export const idleConnections: Scenario = {
  name: 'idle-connections',
  summary: `${CONNECTIONS} idle connections lost at once, then restored`,
  minutes: 1,
  setup: { workers: 2, rate: 0.2 },
  async run(world) {
    const { gateway } = world;
    const idle = await idleClients(world, gateway.wsUrl, CONNECTIONS);
    world.mayLosePlain();
    await Promise.all(gateway.workers().map(killProcess));
    const sinceMs = performance.now();
    world.logStep('both workers killed');
    const what = () => `${idle.filter(({ connected }) => !connected).length} connections`;
    await until(() => idle.every(({ closes }) => closes.length === 1), { what });
    world.logStep('all connections lost');
    const back = () => idle.every(({ connected }) => connected);
    await until(back, { deadlineMs: 2 * BACK_MS_MAX, everyMs: 50, what });
    const seconds = (performance.now() - sinceMs) / 1000;
    world.logStep('all connections restored');
    world.measured('all connections restored after', 's', seconds, { most: BACK_MS_MAX / 1000 });
    const failures = idle.reduce((sum, client) => sum + client.failures.length, 0);
    world.measured('failed connection attempts', '', failures);
    await world.recovers('reconnection');
    await closeAll(idle);
  },
};
