import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startCluster } from '../../../deploy/kafka/cluster.ts';
import { killListeners, Listener, newTopic, producerOf } from './listener.ts';

test('it resumes at its position after an outage of Kafka', async () => {
  const cluster = await startCluster({});
  try {
    const topic = await newTopic({ brokers: cluster.brokers });
    const producer = producerOf(cluster.brokers);
    await producer.connect();
    const args = ['--from', 'beginning', '--verify', '--count', '20'];
    const listener = new Listener({ brokers: cluster.brokers, topic }, args);
    const send = (from: number) =>
      producer.send({
        topic,
        messages: Array.from({ length: 10 }, (_, i) => ({
          key: 'k',
          value: JSON.stringify({ id: `e${from + i}` }),
        })),
      });
    await send(0);
    await listener.prints(10);
    await cluster.stop(0);
    await listener.says(/cannot be reached .*waiting/);
    await cluster.restart(0);
    await send(10);
    assert.equal(await listener.exit, 0, listener.err);
    assert.equal(listener.lines.length, 20);
    assert.match(listener.err, /20 events, 20 distinct ids, 0 repeats/);
    await producer.disconnect();
  } finally {
    killListeners();
    await cluster.close();
  }
});
