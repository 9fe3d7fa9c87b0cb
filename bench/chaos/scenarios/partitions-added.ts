import { addPartitions } from '../../../testing/topic.ts';
import { until } from '../../../testing/wait.ts';
import { killBroker } from '../faults.ts';
import type { Scenario } from '../scenario.ts';
import { PARTITIONS } from '../stage.ts';

export const partitionsAdded: Scenario = {
  name: 'partitions-added',
  summary: `partitions doubled under load, and taken up at the next lost connection`,
  minutes: 1,
  async run(world) {
    const { cluster, topic } = world.stage;
    await addPartitions({ brokers: cluster.brokers, topic }, 2 * PARTITIONS);
    world.did(`${2 * PARTITIONS} partitions`);
    // Keys move meanwhile: no partition has to have an event again.
    await world.felt(() => killBroker(world, 2));
    world.did('broker 3 killed');
    const lanes = async () => (await world.gateway.metrics()).value('forebay_lanes');
    await until(async () => (await lanes()) === 2 * PARTITIONS, { what: 'the new partitions' });
    world.did('the gateway uses all');
    await world.recovers('the broker’s death');
    await cluster.restart(2);
    await world.untilInSync();
  },
};
