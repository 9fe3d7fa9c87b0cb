import { setTimeout as sleep } from 'node:timers/promises';
import { failover, stateOf, suspend } from '../faults.ts';
import type { Scenario } from '../scenario.ts';

export function brokerSigstop(seconds = 40): Scenario {
  return {
    name: 'broker-sigstop',
    summary: `a broker suspended for ${seconds} s: connections stay open without responses`,
    minutes: 1,
    async run(world) {
      const { cluster } = world.stage;
      const pid = cluster.nodes[0]!.pid!;
      await failover(world, 0, async () => {
        await suspend(pid);
        world.logStep('broker 1 suspended');
      });
      await world.recovers('broker suspension and leader election');
      await sleep(seconds * 1_000);
      if (stateOf(pid) !== 'T') throw new Error('broker 1 resumed by itself');
      cluster.resume(0);
      world.logStep('broker 1 resumed');
      await world.untilInSync();
      await world.recovers('broker recovery');
    },
  };
}
