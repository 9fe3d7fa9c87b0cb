/** Rejections while Kafka is not started or does not respond. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type KafkaCluster, startCluster } from '../../deploy/kafka/cluster.ts';
import { freePorts } from '../../deploy/kafka/ports.ts';
import { arrayOf, good } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { startGateway } from '../../testing/gateway.ts';
import { uniqueTopic } from '../../testing/kafka.ts';
import { PlainClient } from '../../testing/plain-client.ts';
import { accountOf, metricsAtRest, post, Stage, Tally } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { assertRefused } from '../support/refusals.ts';

const EVENT_TIMEOUT_MS = 2_000;
const HTTP_TIMEOUT_MS = 300;

let cluster: KafkaCluster;
let stage: Stage;
let client: FrameClient;
let plain: PlainClient;
const tally = new Tally();

before(async () => {
  const [port] = await freePorts(1);
  const [brokers, topic] = [[`127.0.0.1:${port}`], uniqueTopic()];
  const env = {
    FOREBAY_EVENT_TIMEOUT_MS: String(EVENT_TIMEOUT_MS),
    FOREBAY_HTTP_TIMEOUT_MS: String(HTTP_TIMEOUT_MS),
  };
  const gateway = await startGateway({ brokers, topic, env, ready: false });
  stage = Stage.of(gateway, brokers, topic);
  await until(async () => (await fetch(`${gateway.httpUrl}/livez`)).ok, { what: 'a worker' });
  client = await FrameClient.open(gateway.wsUrl);
  plain = await new PlainClient({ url: gateway.wsUrl }).open();
});
after(async () => {
  cluster?.resume(0);
  await Promise.all([client?.close(), plain?.close()]);
  await stage?.gateway.stop();
  await cluster?.close();
});

test('kafka_unavailable: without Kafka since the start, valid events; invalid ones have their own codes', async () => {
  const ready = await fetch(`${stage.gateway.httpUrl}/readyz`);
  assert.equal(ready.status, 503);
  assert.match(await ready.text(), /Kafka/);
  assertRefused(await client.exchange(good('a')), ['kafka_unavailable', [0, 0]]);
  const mixed = arrayOf([good('a'), '{}', good('b'), good('c'), '42']);
  assertRefused(
    await client.exchange(mixed),
    ['kafka_unavailable', [0, 0], [2, 3]],
    ['schema', [1, 1]],
    ['not_an_object', [4, 4]],
  );
  assertRefused(await client.exchange('{'), ['invalid_json']);
  assert.deepEqual(await client.exchange('[]'), []);
  tally.ws(0, { kafka_unavailable: 4, schema: 1, not_an_object: 1, invalid_json: 1 });
});

test('kafka_unavailable over HTTP: 503 with Retry-After, together with permanent errors', async () => {
  const answer = await post(stage, arrayOf([good('a'), '{}', good('b')]));
  assert.equal(answer.status, 503);
  assert.match(answer.headers.get('retry-after') ?? '', /^[1-9]\d*$/);
  assert.equal(answer.body.accepted, 0);
  assertRefused(answer.body.errors, ['kafka_unavailable', [0, 0], [2, 2]], ['schema', [1, 1]]);
  const bad = await post(stage, '[{}]');
  assert.deepEqual([bad.status, bad.headers.get('retry-after')], [400, null]);
  tally.http(0, { kafka_unavailable: 2, schema: 2 });
});

test('a plain client’s valid events are dropped, invalid ones rejected, without a reply', async () => {
  plain.socket.send(arrayOf([good('a'), '{}', good('b')]));
  tally.drop('kafka_unavailable', 2);
  tally.ws(0, { schema: 1 });
  await until(async () => {
    const metrics = await stage.gateway.metrics();
    return metrics.value('forebay_events_dropped_total') === 2;
  });
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
  assert.deepEqual(plain.received, []);
});

test('Kafka starts: the gateway becomes ready by itself and serves the same connections', async () => {
  const port = Number(stage.brokers[0]!.split(':')[1]);
  cluster = await startCluster({ ports: [port] });
  await stage.gateway.ready();
  const events = [good('ws'), good('http'), good('plain')];
  // A Kafka that has just started briefly refuses producer ids.
  await until(async () => {
    const errors = await client.exchange(events[0]!);
    if (errors.length === 0) return true;
    assertRefused(errors, ['kafka_unavailable', [0, 0]]);
    tally.ws(0, { kafka_unavailable: 1 });
    return false;
  });
  assert.deepEqual((await post(stage, events[1]!)).body, { accepted: 1, errors: [] });
  plain.socket.send(events[2]!);
  tally.ws(2);
  tally.http(1);
  const values: string[] = [];
  await until(async () => values.push(...(await stage.newValues())) >= 3);
  assert.deepEqual(values.sort(), events.sort());
});

/** Events stored after their sender received `timeout`. */
async function storedLate(): Promise<number> {
  const metrics = await stage.gateway.metrics();
  return metrics.value('forebay_events_stored_late_total');
}

test('timeout: a batch in flight; kafka_unavailable: a batch never sent', async () => {
  cluster.pause(0);
  const sentMs = performance.now();
  const sent = arrayOf([good('sent1'), '{}', good('sent2', { clientId: 'client sent1' })]);
  assertRefused(await client.exchange(sent), ['timeout', [0, 0], [2, 2]], ['schema', [1, 1]]);
  const waitedMs = performance.now() - sentMs;
  assert(waitedMs >= EVENT_TIMEOUT_MS && waitedMs < 5 * EVENT_TIMEOUT_MS, `${waitedMs} ms`);
  // The broker's connection still waits for its response: nothing else was sent.
  plain.socket.send(good('unsent plain'));
  assertRefused(await client.exchange(good('unsent')), ['kafka_unavailable', [0, 0]]);
  const felt = async () =>
    (await stage.gateway.metrics()).value('forebay_produce_errors_total') > 0;
  await until(felt, { what: 'a failed attempt' });
  cluster.resume(0);
  await until(async () => (await storedLate()) === 2, { what: 'late events' });
  const values = await stage.newValues();
  assert.deepEqual(values, [good('sent1'), good('sent2', { clientId: 'client sent1' })]);
  assert.deepEqual(await client.exchange(good('after')), [], 'it is served again');
  tally.ws(1, { timeout: 2, schema: 1, kafka_unavailable: 1 });
  tally.drop('kafka_unavailable', 1);
  tally.storedLate += 2;
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
  assert.deepEqual(await stage.newValues(), [good('after')]);
});

test('timeout over HTTP: answered after FOREBAY_HTTP_TIMEOUT_MS, and stored once Kafka answers', async () => {
  cluster.pause(0);
  const sentMs = performance.now();
  const answer = await post(stage, arrayOf([good('h1'), '{}', good('h2')]));
  const waitedMs = performance.now() - sentMs;
  assert(waitedMs >= HTTP_TIMEOUT_MS && waitedMs < EVENT_TIMEOUT_MS, `${waitedMs} ms`);
  assert.equal(answer.status, 503);
  assert.equal(answer.headers.get('retry-after') !== null, true);
  assert.equal(answer.body.accepted, 0);
  assertRefused(answer.body.errors, ['timeout', [0, 0], [2, 2]], ['schema', [1, 1]]);
  // This one waits behind it, is answered, and dropped unsent: it must not be counted twice.
  const unsent = await post(stage, good('unsent'));
  assertRefused(unsent.body.errors, ['timeout', [0, 0]]);
  assertRefused(await client.exchange(good('unsent')), ['kafka_unavailable', [0, 0]]);
  cluster.resume(0);
  tally.http(0, { timeout: 3, schema: 1 });
  tally.ws(0, { kafka_unavailable: 1 });
  tally.storedLate += 2;
  const late = async () => (await storedLate()) === tally.storedLate;
  await until(late, { what: 'late events' });
  assert.deepEqual((await stage.newValues()).sort(), [good('h1'), good('h2')]);
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
});

test('all events are accounted for, no memory is held, without protocol violations', async () => {
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
  const metrics = await metricsAtRest(stage.gateway);
  assert.equal(metrics.value('forebay_buffer_bytes'), 0);
  assert.deepEqual([...client.violations, ...plain.received], []);
  assert(client.isOpen);
  assert.deepEqual(stage.gateway.errors, []);
});
