/** Metrics of several streams, two of them with one topic, and of the API keys of clients. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { FrameClient } from '../../testing/frame-client.ts';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { KeyFile } from '../../testing/key-file.ts';
import type { Metrics } from '../../testing/metrics.ts';
import { readTopic } from '../../testing/topic.ts';
import { until } from '../../testing/wait.ts';
import { atRest, untilLogged, Watch } from '../../testing/watch.ts';

const WORKERS = 2;
const UNKNOWN_NAMES = 2_000;
const folder = mkdtempSync(join(tmpdir(), 'forebay-stream-metrics-'));
const keys = new KeyFile();
const prefix = uniqueTopic();
const STREAMS = `
version: 1
routing: { field: type }
streams:
  clicks: { topic: ${prefix}.web, match: [click], create: { partitions: 2 }, owner: team-web }
  taps: { topic: ${prefix}.web, match: [tap], key: none }
  orders:
    topic: ${prefix}.orders
    match: [order]
    create: { partitions: 2 }
    schema: { file: order.json }
    limits: { eventBytes: 200 }
    owner: team-shop
`;

let brokers: readonly string[];
let gateway: Gateway;

before(async () => {
  writeFileSync(join(folder, 'streams.yaml'), STREAMS);
  const schema = { type: 'object', required: ['total'] };
  writeFileSync(join(folder, 'order.json'), JSON.stringify(schema));
  keys.write('till', 'site', 'unused');
  ({ brokers } = await sharedKafka());
  const env = {
    FOREBAY_STREAMS_FILE: join(folder, 'streams.yaml'),
    FOREBAY_KEYS_FILE: keys.path,
    FOREBAY_WORKERS: String(WORKERS),
    KAFKA_TOPIC_REPLICATION: '1',
    KAFKA_LINGER_MS: '1',
  };
  gateway = await startGateway({ brokers, topic: uniqueTopic(), env });
});
after(async () => {
  await gateway?.kill();
  keys.remove();
  rmSync(folder, { recursive: true });
});

const connect = (key: string, path = '/ws') =>
  FrameClient.open(new URL(path, gateway.wsUrl).href, keys.bearer(key));

const post = (path: string, body: string, key: string) =>
  fetch(gateway.httpUrl + path, { method: 'POST', headers: keys.bearer(key), body });

/** Counts of a stream, or of all streams. */
function countsOf(metrics: Metrics, stream?: string) {
  const labels = stream === undefined ? {} : { stream };
  const sum = (name: string, more = {}) => metrics.value(name, { ...labels, ...more });
  return {
    received: sum('forebay_events_received_total'),
    stored: stream === '(none)' ? 0 : sum('forebay_events_stored_total'),
    refused: sum('forebay_events_refused_total'),
    dropped: sum('forebay_events_dropped_total'),
  };
}

const valuesIn = async (topic: string) =>
  (await readTopic({ brokers, topic: `${prefix}.${topic}` })).map(({ value }) => String(value));

test('each event counts for its stream and key, rejected ones too; none is unaccounted', async () => {
  const till = await connect('till');
  const frames = [
    '[{"type":"click","clientId":"1"},{"type":"tap"},{"type":"order","total":1}]',
    '[{"type":"tap"},{"type":"tap"},{"type":"none"},{"type":7}]',
    '[{"type":"order"},{"type":"click"},[],{"kind":"click"}]',
    `{"type":"order","total":"${'x'.repeat(200)}"}`,
    '{"type":"click"',
  ];
  for (const frame of frames) await till.exchange(frame);
  await till.close();
  const body = '{"type":"click"}\n{"type":"order","total":2}\n{"type":"scroll"}\n';
  assert.equal((await post('/events', body, 'site')).status, 207);
  assert.equal((await post('/events/taps', '[{"type":"click"},{}]', 'site')).status, 200);
  assert.equal((await post('/events/none', '{}', 'site')).status, 404);

  const metrics = await atRest(gateway);
  const none = { received: 6, stored: 0, refused: 6, dropped: 0 };
  assert.deepEqual(countsOf(metrics, '(none)'), none);
  assert.deepEqual(countsOf(metrics, 'clicks'), { ...none, received: 3, stored: 3, refused: 0 });
  assert.deepEqual(countsOf(metrics, 'taps'), { ...none, received: 5, stored: 5, refused: 0 });
  assert.deepEqual(countsOf(metrics, 'orders'), { ...none, received: 4, stored: 2, refused: 2 });
  assert.deepEqual(metrics.unaccounted, []);
  const [web, orders] = [await valuesIn('web'), await valuesIn('orders')];
  assert.deepEqual([web.length, orders.length], [8, 2]);
  for (const [stream, stored] of [
    ['clicks', 3],
    ['taps', 5],
    ['orders', 2],
  ] as const) {
    const acks = metrics.value('forebay_ack_duration_seconds_count', { stream });
    assert.equal(acks, stored, stream);
  }
  const ofKey = (key: string) =>
    ['stored', 'refused', 'dropped'].map((result) =>
      metrics.value('forebay_key_events_total', { key, result }),
    );
  assert.deepEqual(ofKey('till'), [6, 7, 0]);
  assert.deepEqual(ofKey('site'), [4, 1, 0]);
  assert.deepEqual(ofKey('unused'), [0, 0, 0]);
  const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
  assert.equal(metrics.value('forebay_key_bytes_total', { key: 'till' }), bytes);
});

test('topic and owner of each stream; its lanes count for the first stream of a topic', async () => {
  const metrics = await atRest(gateway);
  for (const [stream, topic, owner] of [
    ['clicks', 'web', 'team-web'],
    ['taps', 'web', ''],
    ['orders', 'orders', 'team-shop'],
  ] as const) {
    const labels = { stream, topic: `${prefix}.${topic}`, owner };
    assert.equal(metrics.value('forebay_stream_info', labels), 1);
  }
  const lanes = (stream: string) => metrics.value('forebay_lanes', { stream });
  assert.deepEqual(['clicks', 'taps', 'orders'].map(lanes), [2 * WORKERS, 0, 2 * WORKERS]);
  assert.equal(metrics.value('forebay_streams_version'), 1);
});

test('unknown names create no series', async () => {
  const before = await atRest(gateway);
  const client = await connect('till');
  for (let start = 0; start < UNKNOWN_NAMES; start += 500) {
    const events = Array.from({ length: 500 }, (_, index) => ({ type: `x${start + index}` }));
    await client.exchange(JSON.stringify(events));
  }
  await client.close();
  const after = await atRest(gateway);
  assert.deepEqual([...after.series.keys()], [...before.series.keys()]);
  const more = (name: string) =>
    after.value(name, { stream: '(none)' }) - before.value(name, { stream: '(none)' });
  assert.equal(more('forebay_events_received_total'), UNKNOWN_NAMES);
  assert.equal(more('forebay_events_refused_total'), UNKNOWN_NAMES);
});

test('a worker killed under load loses the events of each stream, and none is unaccounted', async (t) => {
  const watch = new Watch(t, gateway);
  const events = ['click', 'tap', 'order', 'none'].map((type) => ({ type, total: 1 }));
  const frame = JSON.stringify(Array.from({ length: 100 }, (_, index) => events[index % 4]));
  let running = true;
  const send = async () => {
    while (running) {
      const client = await connect('site').catch(() => undefined);
      while (running && client?.isOpen) await client.exchange(frame).catch(() => undefined);
      await client?.close();
    }
  };
  const senders = Array.from({ length: 6 }, send);
  const stored = async () => (await gateway.metrics()).value('forebay_events_stored_total');
  const goal = (await stored()) + 2_000;
  await until(async () => (await stored()) > goal, { what: 'load' });
  process.kill(gateway.workers()[0]!, 'SIGKILL');
  await untilLogged(gateway, 'worker died');
  const next = (await stored()) + 2_000;
  await until(async () => (await stored()) > next, { what: 'load after the death' });
  running = false;
  await Promise.all(senders);
  const metrics = await atRest(gateway);
  await watch.stop();
  assert.deepEqual(watch.unaccounted(), []);
  assert.deepEqual(watch.decreases(), []);
  assert.deepEqual(metrics.unaccounted, []);
  for (const stream of ['clicks', 'taps', 'orders']) {
    const { received, stored, refused, dropped } = countsOf(metrics, stream);
    const lost = metrics.value('forebay_events_lost_total', { stream });
    assert.equal(received, stored + refused + dropped + lost, stream);
    assert(stored > 500, stream);
  }
});
