/** Streams of a stream file: the topic, key, schema and permissions of each. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { Child } from '../../testing/child.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { KeyFile } from '../../testing/key-file.ts';
import { PlainClient } from '../../testing/plain-client.ts';
import { metricsAtRest } from '../../testing/stage.ts';
import { noteOffsets, readTopic, type TopicRecord } from '../../testing/topic.ts';
import { until } from '../../testing/wait.ts';
import { logged } from '../../testing/watch.ts';
import { postTo } from '../support/post-to.ts';

const SHOP = 'https://shop.example';
const folder = mkdtempSync(join(tmpdir(), 'forebay-streams-'));
const keys = new KeyFile();
const prefix = uniqueTopic();
const topicOf = (stream: string) => `${prefix}.${stream}`;
const STREAMS = `
version: 1
routing: { field: type }
defaults: { key: { field: user }, }
streams:
  clicks:
    topic: ${topicOf('clicks')}
    match: [click, tap]
    create: { partitions: 3, replication: 1, config: { retention.ms: 3600000 } }
  orders:
    topic: ${topicOf('orders')}
    match: [order]
    create: { partitions: 2, replication: 1 }
    schema: { file: order.json }
    key: { fields: [tenant, order.id] }
    plain: refuse
    origins: [${SHOP}]
  logs:
    topic: ${topicOf('logs')}
    create: { replication: 1 }
    key: none
    access: open
    limits: { eventBytes: 100 }
`;
const ORDER = {
  type: 'object',
  required: ['order'],
  properties: { order: { type: 'object', required: ['id'] } },
};

let gateway: Gateway;
let brokers: readonly string[];
const read = new Map<string, Map<number, bigint>>();

before(async () => {
  writeFileSync(join(folder, 'streams.yaml'), STREAMS);
  writeFileSync(join(folder, 'order.json'), JSON.stringify(ORDER));
  const entries = [
    { name: 'all' },
    { name: 'clicker', streams: ['clicks'] },
    { name: 'nothing', streams: [] },
  ].map((entry) => ({ ...entry, sha256: keys.hash(entry.name) }));
  keys.writeText(JSON.stringify({ keys: entries }));
  ({ brokers } = await sharedKafka());
  const env = {
    FOREBAY_STREAMS_FILE: join(folder, 'streams.yaml'),
    FOREBAY_KEYS_FILE: keys.path,
    FOREBAY_ORIGINS: '*',
    KAFKA_LINGER_MS: '1',
  };
  gateway = await startGateway({ brokers, topic: uniqueTopic(), env });
});
after(async () => {
  await gateway?.stop();
  keys.remove();
  rmSync(folder, { recursive: true });
});

/** Returns the records of a stream's topic since the last call. */
async function newRecords(stream: string): Promise<TopicRecord[]> {
  const fromOffsets = read.get(stream) ?? new Map<number, bigint>();
  read.set(stream, fromOffsets);
  const records = await readTopic({ brokers, topic: topicOf(stream), fromOffsets });
  for (const { partition, offset } of records) fromOffsets.set(partition, BigInt(offset) + 1n);
  return records;
}

const newValues = async (stream: string) =>
  (await newRecords(stream)).map(({ value }) => String(value)).sort();

async function post(
  path: string,
  body: string | Uint8Array,
  headers: Record<string, string> = keys.bearer('all'),
) {
  const { status, accepted, codes } = await postTo(gateway.httpUrl + path, body, headers);
  return { status, ...(accepted !== undefined && { accepted }), codes };
}

const CLICK = '{"type":"click","user":"u1"}';
const TAP = '{"type":"tap","user":"u1"}';
const ORDERED = '{"type":"order","tenant":"t","order":{"id":7}}';
const LOG = '{"level":"info"}';
/** Matches no stream. */
const OTHER = '{"type":"scroll"}';

test('the gateway creates the topics of its streams as declared', async () => {
  for (const [stream, partitions] of [
    ['clicks', 3],
    ['orders', 2],
    ['logs', 12],
  ] as const) {
    const ends = await noteOffsets({ brokers, topic: topicOf(stream) });
    assert.equal(ends.size, partitions, stream);
  }
});

test('a path names the stream of all events of a body, whatever they contain', async () => {
  assert.deepEqual(await post('/events/logs', `[${LOG},${CLICK}]`), {
    status: 200,
    accepted: 2,
    codes: [],
  });
  assert.deepEqual(await newValues('logs'), [LOG, CLICK].sort());
  assert.deepEqual(await newValues('clicks'), []);
});

test('each event of a frame goes to the stream that its field names, with its own result', async () => {
  const client = await FrameClient.open(gateway.wsUrl, keys.bearer('all'));
  assert.deepEqual(client.incoming.hello?.streams, ['clicks', 'orders']);
  const number = client.send(`[${CLICK},${ORDERED},${OTHER},${TAP},{"type":1},{"type":"order"}]`);
  const errors = await client.fate(number);
  assert.deepEqual(
    errors.map(({ code, events }) => [code, events]),
    [
      [
        'unknown_stream',
        [
          [2, 2],
          [4, 4],
        ],
      ],
      ['schema', [[5, 5]]],
    ],
  );
  assert.deepEqual(await newValues('clicks'), [CLICK, TAP].sort());
  assert.deepEqual(await newValues('orders'), [ORDERED]);
  await client.close();
});

test('bodies, lines and MessagePack are routed alike; long ones too', async () => {
  const long = Array.from({ length: 400 }, (_, index) => `{"type":"click","n":${index}}`);
  for (const [body, type] of [
    [`${CLICK}\n${ORDERED}\n${OTHER}`, 'application/x-ndjson'],
    [`[${CLICK},${ORDERED},${OTHER}]`, 'application/json'],
    [encode([CLICK, ORDERED, OTHER].map((text) => JSON.parse(text))), 'application/msgpack'],
    [`[${[...long, ORDERED, OTHER].join(`,${' '.repeat(100)}`)}]`, 'application/json'],
  ] as const) {
    const headers = { ...keys.bearer('all'), 'Content-Type': type };
    const { status, codes } = await post('/events', body, headers);
    assert.deepEqual([status, codes], [207, ['unknown_stream']], type);
    const clicks = await newValues('clicks');
    assert.equal(clicks.length, body.length > 10_000 ? long.length : 1, type);
    assert.deepEqual(await newValues('orders'), [ORDERED], type);
  }
});

test('the key of a stream has several fields, one, or none', async () => {
  await post('/events', `[${CLICK},${ORDERED}]`);
  await post('/events/logs', LOG);
  const keyOf = async (stream: string) => (await newRecords(stream))[0]?.key?.toString();
  assert.equal(await keyOf('orders'), 't|7');
  assert.equal(await keyOf('clicks'), 'u1');
  assert.equal(await keyOf('logs'), undefined);
});

test('an event above the limit of its stream is too large, alone', async () => {
  const big = JSON.stringify({ text: 'x'.repeat(100) });
  const answer = await post('/events/logs', `[${LOG},${big}]`);
  assert.deepEqual(answer, { status: 207, accepted: 1, codes: ['too_large'] });
  assert.deepEqual(await newValues('logs'), [LOG]);
});

test('an unknown or escaped path is 404, over HTTP and WebSocket', async () => {
  for (const name of ['none', '', 'Clicks', 'click%73', 'clicks/', 'clicks/x', '..%2fclicks']) {
    const { status, codes } = await post(`/events/${name}`, CLICK);
    assert.deepEqual([status, codes], [404, ['unknown_stream']], name);
    const connecting = FrameClient.open(`${gateway.wsUrl}/${name}`, keys.bearer('all'));
    await assert.rejects(connecting, /404/, name);
  }
});

test('streams diff compares a file with the streams of the gateway', async () => {
  const file = join(folder, 'streams.yaml');
  const env = {
    FOREBAY_ADMIN_PORT: String(gateway.adminPort),
    FOREBAY_KEYS_FILE: keys.path,
    FOREBAY_ORIGINS: '*',
  };
  const diff = async (path: string) => {
    const child = new Child('dist/main.js', ['streams', 'diff', path], env);
    const { code } = await child.ended;
    return { code, stdout: child.stdout };
  };
  const none = `no differences from http://127.0.0.1:${gateway.adminPort}\n`;
  assert.deepEqual(await diff(file), { code: 0, stdout: none });
  const changed = join(folder, 'changed.yaml');
  writeFileSync(changed, STREAMS.replace('eventBytes: 100', 'eventBytes: 200'));
  const stdout = '~ logs\n    limits.eventBytes: 100 -> 200\n';
  assert.deepEqual(await diff(changed), { code: 1, stdout });
});

test('a key writes to its streams only, and needs to name none if it has one', async () => {
  const clicker = keys.bearer('clicker');
  const result = async (path: string, body: string, headers: Record<string, string>) => {
    const { status, codes } = await post(path, body, headers);
    return [status, ...codes];
  };
  assert.deepEqual(await result('/events/orders', ORDERED, clicker), [404, 'unknown_stream']);
  assert.deepEqual(await result('/events', ORDERED, clicker), [400, 'unknown_stream']);
  assert.deepEqual(await result('/events', '{"user":"u2"}', clicker), [200]);
  assert.deepEqual(await newValues('clicks'), ['{"user":"u2"}']);
  const nothing = keys.bearer('nothing');
  assert.deepEqual(await result('/events/clicks', CLICK, nothing), [404, 'unknown_stream']);
  assert.deepEqual(await result('/events/logs', LOG, nothing), [200], 'it is open');
});

test('an open stream takes events without credentials, a keyed one does not', async () => {
  assert.deepEqual(await post('/events/logs', LOG, {}), { status: 200, accepted: 1, codes: [] });
  const unauthorized = { status: 401, codes: ['unauthorized'] };
  assert.deepEqual(await post('/events/clicks', CLICK, {}), unauthorized);
  const wrong = { Authorization: 'Bearer wrong' };
  assert.deepEqual(await post('/events/logs', LOG, wrong), unauthorized);
  assert.deepEqual(await post('/events', CLICK, {}), unauthorized, 'the open one has a path only');
  const client = await FrameClient.open(`${gateway.wsUrl}/logs`);
  assert.deepEqual(client.incoming.hello?.streams, ['logs']);
  assert.deepEqual(await client.exchange(LOG), []);
  await client.close();
  await assert.rejects(FrameClient.open(`${gateway.wsUrl}/clicks`), /401/);
});

test('a page outside the origins of a stream is forbidden', async () => {
  const page = (origin: string) => ({ ...keys.bearer('all'), Origin: origin });
  const forbidden = { status: 403, codes: ['forbidden_stream'] };
  assert.deepEqual(await post('/events/orders', ORDERED, page('https://evil.example')), forbidden);
  assert.equal((await post('/events/orders', ORDERED, page(SHOP))).status, 200);
  const client = await FrameClient.open(gateway.wsUrl, page('https://evil.example'));
  assert.deepEqual(client.incoming.hello?.streams, ['clicks']);
  const [error] = await client.exchange(ORDERED);
  assert.equal(error?.code, 'forbidden_stream');
  await client.close();
});

test('a client without acknowledgements is forbidden where the stream refuses it', async () => {
  await newRecords('clicks');
  await newRecords('orders');
  const url = `${gateway.wsUrl}/orders`;
  const headers = keys.bearer('all');
  await assert.rejects(new PlainClient({ url, headers }).open(), /403/);
  const before = (await metricsAtRest(gateway)).value('forebay_events_refused_total', {
    reason: 'forbidden_stream',
  });
  const plain = await new PlainClient({ url: gateway.wsUrl, headers }).open();
  plain.socket.send(`[${ORDERED},${CLICK}]`);
  await until(async () => (await newValues('clicks')).length === 1, { what: 'the click' });
  const metrics = await metricsAtRest(gateway);
  const refused = metrics.value('forebay_events_refused_total', { reason: 'forbidden_stream' });
  assert.equal(refused - before, 1);
  assert.deepEqual(await newValues('orders'), []);
  await plain.close();
});

test('withdrawn permissions are announced, and apply from the next frame on', async () => {
  const entry = (streams: string[]) =>
    keys.writeText(
      JSON.stringify({ keys: [{ name: 'temporary', sha256: keys.hash('temporary'), streams }] }),
    );
  entry(['clicks', 'orders']);
  const headers = keys.bearer('temporary');
  const connect = () => FrameClient.open(gateway.wsUrl, headers).catch(() => undefined);
  const client = await until(connect, { what: 'the key is loaded' });
  assert.deepEqual(client.incoming.hello?.streams, ['clicks', 'orders']);
  assert.deepEqual(await client.exchange(CLICK), []);
  entry(['orders']);
  await until(() => client.texts.includes('{"streams":["orders"]}'), { what: 'the new streams' });
  const [error] = await client.exchange(CLICK);
  assert.equal(error?.code, 'forbidden_stream', 'its existence is no secret any more');
  assert.deepEqual(await client.exchange(ORDERED), []);
  await client.close();
});

test('a rolling restart applies a changed file, and keeps the streams of the last valid one', async () => {
  const path = join(folder, 'streams.yaml');
  const restart = async () => {
    const completed = () => logged(gateway, 'rolling restart completed').length;
    const before = completed();
    gateway.signal('SIGHUP');
    await until(() => completed() > before, { what: 'the rolling restart' });
  };
  const added = `  added: { topic: ${topicOf('added')}, create: { replication: 1 }, access: open }\n`;
  writeFileSync(path, `${STREAMS}${added}  wrong: {}\n`);
  await restart();
  const [line] = logged(gateway, 'stream file reload failed, keeping the previous streams');
  assert.match(String(line?.reason), /streams\.yaml:\d+:\d+: streams\.wrong/);
  const headers = keys.bearer('temporary');
  assert.deepEqual((await post('/events/added', LOG, headers)).codes, ['unknown_stream']);
  assert.equal((await post('/events/logs', LOG, headers)).status, 200);
  writeFileSync(path, STREAMS + added);
  await restart();
  const accepted = () => post('/events/added', LOG, headers).then(({ status }) => status === 200);
  await until(accepted, { what: 'an event of the added stream' });
  assert.deepEqual(await newValues('added'), [LOG]);
});

test('no event is unaccounted for', async () => {
  const metrics = await metricsAtRest(gateway);
  assert.equal(metrics.value('forebay_events_unaccounted'), 0);
});
