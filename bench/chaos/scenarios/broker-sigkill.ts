import { failover, killBroker, untilBalanced } from '../faults.ts';
import type { Scenario } from '../scenario.ts';

export function brokerSigkill(kills = 20): Scenario {
  return {
    name: 'broker-sigkill',
    summary: `brokers killed in rotation, ${kills} times`,
    minutes: Math.ceil(kills / 7),
    setup: { kafka: { 'leader.imbalance.check.interval.seconds': '1' } },
    async run(world) {
      for (let kill = 0; kill < kills; kill++) {
        const node = kill % 3;
        await untilBalanced(world);
        await failover(world, node, async () => {
          await killBroker(world, node);
          world.logStep(`broker ${node + 1} killed`);
        });
        await world.recovers('broker failure and leader election');
        await world.stage.cluster.restart(node);
        await world.untilInSync();
      }
    },
  };
}
