import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { Partitioners } from 'kafkajs';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { createTopic, noteOffsets, readTopic, testKafka } from '../../testing/topic.ts';

let brokers: readonly string[];
before(async () => {
  ({ brokers } = await sharedKafka());
});

async function produce(topic: string, from: number, count: number): Promise<void> {
  const producer = testKafka(brokers).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  for (let start = from; start < from + count; start += 10_000) {
    const length = Math.min(10_000, from + count - start);
    const messages = Array.from({ length }, (_, i) => ({
      key: `k${(start + i) % 100}`,
      value: JSON.stringify({ id: `e${start + i}`, filling: 'x'.repeat(80) }),
    }));
    await producer.send({ topic, messages });
  }
  await producer.disconnect();
}

test('reads exactly the records between the recorded offsets and the call', async () => {
  const topic = uniqueTopic();
  await createTopic({ brokers, topic }, { numPartitions: 4 });
  await produce(topic, 0, 50);
  const fromOffsets = await noteOffsets({ brokers, topic });
  await produce(topic, 50, 500);
  const records = await readTopic({ brokers, topic, fromOffsets });
  const ids = records.map(({ value }) => JSON.parse(String(value)).id as string);
  const expected = Array.from({ length: 500 }, (_, i) => `e${50 + i}`);
  assert.deepEqual(new Set(ids), new Set(expected));
  assert.equal(ids.length, 500);
  const all = await readTopic({ brokers, topic });
  assert.equal(all.length, 550);
});

test('reads the headers of records', async () => {
  const topic = uniqueTopic();
  await createTopic({ brokers, topic }, { numPartitions: 1 });
  const producer = testKafka(brokers).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  const messages = [{ value: 'a', headers: { x: ['1', '2'] } }, { value: 'b' }];
  await producer.send({ topic, messages });
  await producer.disconnect();
  const records = await readTopic({ brokers, topic });
  assert.deepEqual(
    records.map(({ headers }) => headers?.map(({ name, value }) => `${name}=${value}`)),
    [['x=1', 'x=2'], []],
  );
});

test('a topic without new records, and one that does not exist', async () => {
  const topic = uniqueTopic();
  assert.equal((await noteOffsets({ brokers, topic })).size, 0);
  await createTopic({ brokers, topic }, { numPartitions: 3 });
  assert.deepEqual(await readTopic({ brokers, topic }), []);
  await produce(topic, 0, 10);
  const fromOffsets = await noteOffsets({ brokers, topic });
  assert.deepEqual(await readTopic({ brokers, topic, fromOffsets }), []);
});

test('reads 50,000 records in seconds, none missing and each partition in order', async () => {
  const topic = uniqueTopic();
  await createTopic({ brokers, topic }, { numPartitions: 12 });
  await produce(topic, 0, 50_000);
  const start = performance.now();
  const records = await readTopic({ brokers, topic });
  const ms = performance.now() - start;
  assert.equal(records.length, 50_000);
  const next = new Map<number, number>();
  for (const { partition, offset } of records) {
    assert.equal(offset, next.get(partition) ?? 0);
    next.set(partition, offset + 1);
  }
  assert(ms < 20_000, `took ${ms} ms`);
});
