import { partitionsOf } from '../../../testing/failover.ts';
import { testKafka } from '../../../testing/topic.ts';
import { until } from '../../../testing/wait.ts';
import type { Scenario } from '../scenario.ts';
import type { World } from '../world.ts';

export function leadersMoved(times = 10): Scenario {
  return {
    name: 'leaders-moved',
    summary: `the leader of every partition moved to another broker, ${times} times`,
    minutes: 1,
    // At each check, the cluster elects the first replica in the list.
    setup: { kafka: { 'leader.imbalance.check.interval.seconds': '1' } },
    async run(world) {
      for (let time = 0; time < times; time++) {
        await world.inject(() => moveLeaders(world));
        await world.recovers('leader moves');
      }
    },
  };
}

/** Makes the next replica of each partition its leader. */
async function moveLeaders(world: World): Promise<void> {
  const { cluster, topic } = world.stage;
  const before = await partitionsOf(cluster.brokers, topic);
  const next = new Map(before.map(({ partitionId, leader }) => [partitionId, (leader % 3) + 1]));
  const admin = testKafka(cluster.brokers).admin();
  await admin.connect();
  try {
    const partitionAssignment = [...next].map(([partition, leader]) => ({
      partition,
      replicas: [leader, (leader % 3) + 1, ((leader + 1) % 3) + 1],
    }));
    await admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment }] });
  } finally {
    await admin.disconnect();
  }
  const moved = async () =>
    (await partitionsOf(cluster.brokers, topic)).every(
      ({ partitionId, leader }) => leader === next.get(partitionId),
    );
  await until(moved, { everyMs: 100, deadlineMs: 30_000, what: 'the new leaders' });
  world.logStep(`${next.size} leaders moved`);
}
