import { addPartitions } from '../../../testing/topic.ts';
import { until } from '../../../testing/wait.ts';
import { killBroker } from '../faults.ts';
import type { Scenario } from '../scenario.ts';
import { PARTITIONS } from '../stage.ts';

export const partitionsAdded: Scenario = {
  name: 'partitions-added',
  summary: `partitions doubled under load, discovered at the next lost connection`,
  minutes: 1,
  async run(world) {
    const { cluster, topic } = world.stage;
    await addPartitions({ brokers: cluster.brokers, topic }, 2 * PARTITIONS);
    world.logStep(`partitions increased to ${2 * PARTITIONS}`);
    // Keys move meanwhile, so that a partition need not get events again.
    await world.inject(() => killBroker(world, 2));
    world.logStep('broker 3 killed');
    const lanes = async () => (await world.gateway.metrics()).value('forebay_lanes');
    await until(async () => (await lanes()) === 2 * PARTITIONS, { what: 'the new partitions' });
    world.logStep('the gateway uses all partitions');
    await world.recovers('broker failure');
    await cluster.restart(2);
    await world.untilInSync();
  },
};
