import { setTimeout as sleep } from 'node:timers/promises';
import { failover, stateOf, suspend } from '../faults.ts';
import type { Scenario } from '../scenario.ts';

export function brokerSigstop(seconds = 40): Scenario {
  return {
    name: 'broker-sigstop',
    summary: `a broker stopped for ${seconds} s: its connections stay open, nothing answers`,
    minutes: 1,
    async run(world) {
      const { cluster } = world.stage;
      const pid = cluster.nodes[0]!.pid!;
      await failover(world, 0, async () => {
        await suspend(pid);
        world.did('broker 1 stopped');
      });
      await world.recovers('a broker’s stop and new leaders');
      await sleep(seconds * 1_000);
      if (stateOf(pid) !== 'T') throw new Error('broker 1 has gone on by itself');
      cluster.resume(0);
      world.did('broker 1 goes on');
      await world.untilInSync();
      await world.recovers('the broker’s return');
    },
  };
}
