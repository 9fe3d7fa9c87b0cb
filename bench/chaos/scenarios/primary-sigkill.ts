import { setTimeout as sleep } from 'node:timers/promises';
import { untilGone } from '../../../testing/watch.ts';
import { killProcess } from '../faults.ts';
import type { Scenario } from '../scenario.ts';

export function primarySigkill(kills = 5): Scenario {
  return {
    name: 'primary-sigkill',
    summary: `the primary killed and the instance restarted, ${kills} times`,
    minutes: 1,
    setup: { workers: 2, headers: true },
    async run(world) {
      for (let kill = 0; kill < kills; kill++) {
        await sleep(3_000);
        const { gateway } = world;
        const workers = gateway.workers();
        await world.unwatch(gateway);
        await killProcess(gateway.pid);
        world.logStep('primary killed');
        await untilGone(workers);
        world.logStep('its workers exited');
        const next = await world.stage.start(0);
        world.watch(next);
        world.measured('start to ready', 'ms', Math.round(next.startToReadyMs));
        await world.recovers('instance start');
      }
    },
  };
}
