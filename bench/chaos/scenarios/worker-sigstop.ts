import { setTimeout as sleep } from 'node:timers/promises';
import { isRunning } from '../../../testing/child.ts';
import { until } from '../../../testing/wait.ts';
import { untilLogged } from '../../../testing/watch.ts';
import { suspend } from '../faults.ts';
import type { Scenario } from '../scenario.ts';

const SECONDS = 15;

export const workerSigstop: Scenario = {
  name: 'worker-sigstop',
  summary: `one of two workers suspended for ${SECONDS} s: detected as hung and replaced`,
  minutes: 1,
  setup: { workers: 2, headers: true },
  async run(world) {
    const { gateway } = world;
    const [victim, other] = gateway.workers() as [number, number];
    world.mayLosePlain();
    await suspend(victim);
    const sinceMs = performance.now();
    world.logStep(`worker ${victim} suspended`);
    await world.recovers('worker suspension, on the other worker');
    await untilLogged(gateway, 'unresponsive worker killed', SECONDS * 1_000);
    world.logStep('hang detected, worker killed');
    world.measured('hang detected after', 's', (performance.now() - sinceMs) / 1000);
    const { clients } = world.traffic;
    await until(() => clients.every(({ connected }) => connected), { what: 'all clients back' });
    world.logStep('all clients reconnected');
    await sleep(Math.max(0, SECONDS * 1_000 - (performance.now() - sinceMs)));
    await world.recovers('hang');
    if (isRunning(victim) || !isRunning(other)) throw new Error('the wrong worker was killed');
    const hangs = (await gateway.metrics()).value('forebay_worker_restarts_total', {
      cause: 'hang',
    });
    world.check(hangs === 1, `${hangs} hangs counted, not 1`);
  },
};
