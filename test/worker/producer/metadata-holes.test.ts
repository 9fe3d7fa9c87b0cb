import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { until } from '../../../testing/wait.ts';
import { FakeCluster } from '../../fakes/broker/cluster.ts';
import { Partition } from '../../fakes/broker/partition.ts';
import { endPipelines, Pipeline, TOPIC } from './pipeline.ts';

after(endPipelines);

// The larger one once caused a list of that length, with a lane each.
for (const id of [5, 3_000_000]) {
  test(`metadata with only partitions 0 and ${id} is incomplete, not huge`, async () => {
    const cluster = await FakeCluster.start({ topics: { [TOPIC]: 2 } });
    const whole = cluster.topics.get(TOPIC)!;
    cluster.topics.set(TOPIC, [whole[0]!, new Partition(id, 1, 1_000_000)]);
    const pipeline = await Pipeline.start(cluster);
    const asked = cluster.count('Metadata');
    const again = () => cluster.count('Metadata') > asked + 1;
    await until(again, { what: 'another request' });
    cluster.topics.set(TOPIC, whole);
    await pipeline.exchange(1, 'a');
    assert.equal(pipeline.fates.get('a'), 'stored');
    await pipeline.close();
  });
}
