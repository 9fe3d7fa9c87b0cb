/** A Kafka that responds and stores nothing: /readyz and log lines. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { good } from '../../../testing/events.ts';
import { FrameClient } from '../../../testing/frame-client.ts';
import { startGateway } from '../../../testing/gateway.ts';
import { uniqueTopic } from '../../../testing/kafka.ts';
import { until } from '../../../testing/wait.ts';
import { logged, readyz, untilLogged, untilNotReady } from '../../../testing/watch.ts';
import { FakeCluster } from '../../fakes/broker/cluster.ts';

const EVENT_TIMEOUT_MS = 6_000;
const NOTICED_MS = 40_000;
const NO_ID = 'Kafka answers CLUSTER_AUTHORIZATION_FAILED for a producer id';
const REFUSES = 'Kafka rejects writes: check its ACLs and policies';

/** A cluster of two brokers whose producer ids a test grants and refuses. */
async function withIds(t: TestContext) {
  const topic = uniqueTopic();
  const fake = await FakeCluster.start({ brokers: 2, topics: { [topic]: 2 } });
  t.after(() => fake.close());
  const target = { request: 'InitProducerId' as const, times: Number.POSITIVE_INFINITY };
  fake.inject(target, { code: 31 });
  return { fake, topic, target };
}

test('no producer id: not ready, and one outage until there is one, although events expire', async (t) => {
  const { fake, topic, target } = await withIds(t);
  const env = { FOREBAY_WORKERS: '2', FOREBAY_EVENT_TIMEOUT_MS: String(EVENT_TIMEOUT_MS) };
  const gateway = await startGateway({ brokers: fake.addresses, topic, env, ready: false });
  t.after(() => gateway.kill());
  const began = await untilLogged(gateway, 'Kafka outage began', NOTICED_MS);
  assert.equal(began.reason, NO_ID);
  const client = await FrameClient.open(gateway.wsUrl);
  for (const id of ['one', 'two']) {
    const refusals = await client.exchange(good(id));
    assert.equal(refusals.length, 1, 'it expires');
  }
  for (const { status, reasons } of await readyz(gateway)) {
    assert.deepEqual([status, reasons], [503, [NO_ID, REFUSES]]);
  }
  assert.deepEqual(logged(gateway, 'ready'), [], 'at no time');
  assert.equal(logged(gateway, 'Kafka outage began').length, 1);
  assert.deepEqual(logged(gateway, 'Kafka outage ended'), []);
  target.times = 0;
  await gateway.ready();
  assert.deepEqual(await client.exchange(good('three')), []);
  await client.close();
  await untilLogged(gateway, 'Kafka outage ended', NOTICED_MS);
  assert.equal((await gateway.stop()).code, 0);
});

test('revoked ACLs and replaced workers: not ready, even without events', async (t) => {
  const { fake, topic, target } = await withIds(t);
  target.times = 0;
  const gateway = await startGateway({ brokers: fake.addresses, topic });
  t.after(() => gateway.kill());
  assert.equal((await readyz(gateway))[0]?.status, 200);
  target.times = Number.POSITIVE_INFINITY;
  gateway.signal('SIGHUP');
  await untilLogged(gateway, 'rolling restart completed', NOTICED_MS);
  await until(async () => (await readyz(gateway)).every(({ status }) => status === 503), {
    what: () => gateway.logTail(),
  });
  assert.deepEqual((await readyz(gateway))[0]?.reasons, [NO_ID, REFUSES]);
  await gateway.kill();
});

test('brokers that fail for different reasons: both are reported at once, in few lines', async (t) => {
  const brokers = ['127.0.0.1:1', 'kafka.invalid:9092'];
  const gateway = await startGateway({ brokers, topic: uniqueTopic(), ready: false });
  t.after(() => gateway.kill());
  const both =
    'Kafka cannot be reached: connection refused; ' +
    'Kafka cannot be reached: the host name cannot be resolved';
  await untilNotReady(gateway, both, NOTICED_MS);
  for (let i = 0; i < 50; i++) {
    const [answer] = await readyz(gateway);
    assert.deepEqual(answer?.reasons, [both]);
    await sleep(150);
  }
  const lines = logged(gateway, 'not ready');
  assert(lines.length >= 1 && lines.length <= 3, JSON.stringify(lines));
  assert.equal((await gateway.stop()).code, 0);
});
