import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { AcknowledgedClient } from '../../testing/client.ts';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { Ledger } from '../../testing/ledger.ts';
import { PlainClient } from '../../testing/plain-client.ts';
import { readTopic } from '../../testing/topic.ts';
import { until } from '../../testing/wait.ts';

let gateway: Gateway;
let place: { brokers: readonly string[]; topic: string };

before(async () => {
  const { brokers } = await sharedKafka();
  place = { brokers, topic: uniqueTopic('client') };
  gateway = await startGateway(place);
});
after(async () => {
  await gateway?.kill();
});

const eventOf = (id: string) => ({ msg: 'm', clientId: 'c', timestamp: 1, id });

test('acknowledged, cut, reconnected, rejected, plain: the ledger agrees', async () => {
  const ledger = new Ledger();
  const latencies: number[] = [];
  const client = await new AcknowledgedClient({
    url: gateway.wsUrl,
    ledger,
    reconnect: true,
    onLatency: (ms) => latencies.push(ms),
  }).open();
  const first = client.send(eventOf('a0'), eventOf('a1'), { ...eventOf('bad'), timestamp: 'x' });
  await client.settled();
  assert.equal(first.state, 'settled');
  assert.deepEqual(
    first.errors.map(({ code, events }) => [code, events]),
    [['schema', [[2, 2]]]],
  );

  // More frames than the first credit allows, and the connection lost in the middle.
  for (let n = 0; n < 200; n++) client.send(eventOf(`b${n}`));
  await until(() => client.acknowledgedEvents > 2);
  client.cut();
  await client.settled();
  assert.equal(client.connections, 2);
  assert.equal(client.closes.length, 1);
  const raw = client.sendRaw('{"no json');
  await client.settled();
  assert.equal(raw.errors[0]?.code, 'invalid_json');
  assert(latencies.length >= 200 && latencies.every((ms) => ms > 0));

  const plain = await new PlainClient({ url: gateway.wsUrl, ledger }).open();
  plain.send(eventOf('p0'), eventOf('p1'));
  const received = async () =>
    (await gateway.metrics()).value('forebay_events_stored_total') >= 2 + 200 + 2;
  await until(received);
  await Promise.all([client.close(), plain.close()]);
  assert.deepEqual(client.violations, []);
  assert.deepEqual(plain.received, []);

  assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
  const verdict = ledger.reconcile(await readTopic(place));
  assert(verdict.clean, JSON.stringify(verdict));
  assert.equal(verdict.acknowledged, 2 + 200);
  assert.equal(verdict.refused, 1);
});

test('a gateway reports its workers, its CPU time and its log', async () => {
  const other = await startGateway({ ...place, env: { FOREBAY_WORKERS: '2' } });
  try {
    assert.equal(other.workers().length, 2);
    assert(other.cpuSeconds() > 0);
    assert(other.startToReadyMs > 0);
    assert(other.log.length > 0);
    assert.deepEqual(await other.stop(), { code: 0, signal: null });
    assert.deepEqual(other.errors, []);
  } finally {
    await other.kill();
  }
});
