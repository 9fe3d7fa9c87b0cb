/** Streams with unusual declarations, and clients that name streams that do not exist. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { FrameClient } from '../../testing/frame-client.ts';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { freshMetrics, metricsAtRest } from '../../testing/stage.ts';
import { readTopic } from '../../testing/topic.ts';
import { until } from '../../testing/wait.ts';
import { logged } from '../../testing/watch.ts';
import { postTo } from '../support/post-to.ts';

const UNKNOWN_NAMES = 10_000;
const folder = mkdtempSync(join(tmpdir(), 'forebay-bad-streams-'));
const prefix = uniqueTopic();
const create = 'create: { partitions: 2, replication: 1 }';
const STREAMS = `
version: 1
routing: { field: kind.name }
defaults: { key: { field: user } }
streams:
  one: { topic: ${prefix}.shared, match: [one], ${create} }
  two: { topic: ${prefix}.shared, match: [two], key: none }
  absent: { topic: ${prefix}.absent, match: [absent], required: false }
`;

let gateway: Gateway;
let brokers: readonly string[];

before(async () => {
  const path = join(folder, 'streams.yaml');
  writeFileSync(path, STREAMS);
  ({ brokers } = await sharedKafka());
  const env = { FOREBAY_STREAMS_FILE: path, FOREBAY_WORKERS: '1', KAFKA_LINGER_MS: '1' };
  gateway = await startGateway({ brokers, topic: uniqueTopic(), env });
});
after(async () => {
  await gateway?.stop();
  rmSync(folder, { recursive: true });
});

const post = (path: string, body: string | Uint8Array, type = 'application/json') =>
  postTo(gateway.httpUrl + path, body, { 'content-type': type });

const event = (name: unknown) => JSON.stringify({ kind: { name }, user: 'u' });

test('two streams on one topic are allowed and reported; each has its own key and count', async () => {
  const problems = logged(gateway, 'warning about the stream file').map(({ problem }) => problem);
  assert(problems.some((text) => String(text).includes('is also the topic of one')));
  const { accepted } = await post('/events', `[${event('one')},${event('two')}]`);
  assert.equal(accepted, 2);
  const records = await readTopic({ brokers, topic: `${prefix}.shared` });
  const keys = Object.fromEntries(
    records.map(({ key, value }) => [JSON.parse(String(value)).kind.name, key?.toString()]),
  );
  assert.deepEqual(keys, { one: 'u', two: undefined });
  const metrics = await metricsAtRest(gateway);
  for (const stream of ['one', 'two']) {
    assert.equal(metrics.value('forebay_events_stored_total', { stream }), 1, stream);
    assert.equal(metrics.value('forebay_events_unaccounted', { stream }), 0, stream);
  }
});

test('a topic that does not exist and is not created: only events of its stream are rejected', async () => {
  await until(() => gateway.log.some((line) => line.topic === `${prefix}.absent`), {
    what: 'a log line that names the topic',
  });
  assert.equal((await fetch(`${gateway.httpUrl}/readyz`)).status, 200, 'it is not required');
  const answer = await post('/events', `[${event('one')},${event('absent')}]`);
  assert.deepEqual([answer.status, answer.accepted], [503, 1]);
  assert.deepEqual(
    answer.errors.map(({ code, events }) => [code, events]),
    [['kafka_unavailable', [[1, 1]]]],
  );
  assert.deepEqual((await post('/events/absent', event('one'))).codes, ['kafka_unavailable']);
});

test('a routing field that is no string is unknown; one that is absent too without a default', async () => {
  for (const name of [1, null, true, ['one'], { one: 1 }, '', 'One', 'one ', 'on\u0065 ']) {
    const { codes } = await post('/events', event(name));
    assert.deepEqual(codes, ['unknown_stream'], JSON.stringify(name));
  }
  for (const body of ['{"user":"u"}', '{"kind":"one"}', '{"kind":[]}']) {
    assert.deepEqual((await post('/events', body)).codes, ['unknown_stream'], body);
  }
  // Escapes and duplicates: the value counts, and of duplicates the last one.
  for (const body of [
    '{"kind":{"name":"\\u006fne"}}',
    '{"k\\u0069nd":{"name":"one"}}',
    '{"kind":{"name":"none","name":"one"}}',
    '{"kind":{"name":"none"},"kind":{"name":"one"}}',
  ]) {
    assert.deepEqual((await post('/events', body)).codes, [], body);
  }
  assert.deepEqual((await post('/events', '{"kind":{"name":"one"},"kind":{}}')).codes, [
    'unknown_stream',
  ]);
});

test('escaped, nested and odd paths are 404 for every method of naming a stream', async () => {
  for (const name of ['o%6ee', '%6fne', 'one%00', 'one%2f', 'one/', 'one/two', 'one;x', 'ONE']) {
    const { status, codes } = await post(`/events/${name}`, event('one'));
    assert.deepEqual([status, codes], [404, ['unknown_stream']], name);
    await assert.rejects(FrameClient.open(`${gateway.wsUrl}/${name}`), /404/, name);
  }
});

test('10,000 different unknown names take no label and no memory', async () => {
  const seriesOf = async () => {
    const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
    return text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
  };
  const residentBytes = async () =>
    (await freshMetrics(gateway)).value('forebay_worker_resident_bytes');
  const unknown = async () =>
    (await metricsAtRest(gateway)).value('forebay_events_refused_total', {
      reason: 'unknown_stream',
    });
  const [series, bytes, before] = [await seriesOf(), await residentBytes(), await unknown()];
  const names = Array.from({ length: UNKNOWN_NAMES }, (_, index) => `unknown-${index}`);
  const client = await FrameClient.open(gateway.wsUrl);
  for (let from = 0; from < names.length; from += 500) {
    const events = names.slice(from, from + 500).map(event);
    const [error] = await client.exchange(`[${events.join(',')}]`);
    assert.deepEqual([error?.code, error?.events], ['unknown_stream', [[0, 499]]]);
    const packed = encode(events.map((text) => JSON.parse(text)));
    assert.deepEqual((await post('/events', packed, 'application/msgpack')).codes, [
      'unknown_stream',
    ]);
  }
  for (const name of names.slice(0, 1_000)) await post(`/events/${name}`, event('one'));
  await client.close();
  assert.equal((await unknown()) - before, 2 * UNKNOWN_NAMES);
  assert.equal(await seriesOf(), series);
  const grown = (await residentBytes()) - bytes;
  assert(grown < 32 * 2 ** 20, `${(grown / 2 ** 20).toFixed(1)} MiB more`);
});
