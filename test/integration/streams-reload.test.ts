/** Changes of the stream file in a running gateway: no restart, no lost connection. */
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { FrameClient } from '../../testing/frame-client.ts';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { KeyFile } from '../../testing/key-file.ts';
import { PlainClient } from '../../testing/plain-client.ts';
import { metricsAtRest } from '../../testing/stage.ts';
import { noteOffsets, readTopic } from '../../testing/topic.ts';
import { until } from '../../testing/wait.ts';
import { logged } from '../../testing/watch.ts';
import { postTo } from '../support/post-to.ts';

const RELOADED = 'streams reloaded';
const FAILED = 'stream file reload failed, keeping the previous streams';
const folder = mkdtempSync(join(tmpdir(), 'forebay-reload-'));
const path = join(folder, 'streams.yaml');
const schemaPath = join(folder, 'log.json');
const prefix = uniqueTopic();
const keys = new KeyFile();
const topicOf = (stream: string) => `${prefix}.${stream}`;
const stream = (name: string, rest = '') =>
  `  ${name}: { topic: ${topicOf(name)}, create: { partitions: 2, replication: 1 }${rest} }\n`;
const fileOf = (...streams: string[]) =>
  `version: 1\nrouting: { field: type }\ndefaults: { key: { field: user } }\nstreams:\n${streams.join('')}`;
const CLICKS = stream('clicks', ', access: open, match: [click]');
const LOGS = stream('logs', ', access: open, schema: { file: log.json }');
const ORDERS = stream('orders', ', access: open, match: [order]');

let gateway: Gateway;
let brokers: readonly string[];

before(async () => {
  writeFileSync(path, fileOf(CLICKS, LOGS));
  writeFileSync(schemaPath, '{"type":"object","required":["level"]}');
  keys.writeText(JSON.stringify({ keys: [{ name: 'all', sha256: keys.hash('all') }] }));
  ({ brokers } = await sharedKafka());
  const env = {
    FOREBAY_STREAMS_FILE: path,
    FOREBAY_KEYS_FILE: keys.path,
    FOREBAY_WORKERS: '2',
    KAFKA_LINGER_MS: '1',
  };
  gateway = await startGateway({ brokers, topic: uniqueTopic(), env });
});
after(async () => {
  await gateway?.stop();
  keys.remove();
  rmSync(folder, { recursive: true });
});

/** Changes files and waits until all workers use the streams. @returns fields of the log */
async function reload(change: () => void) {
  const before = logged(gateway, RELOADED).length;
  change();
  await until(() => logged(gateway, RELOADED).length > before, {
    what: 'the reload',
  });
  return logged(gateway, 'streams changed').at(-1);
}

/** Replaces a file at once: the gateway may read it at any time. */
function replace(file: string, text: string): void {
  writeFileSync(`${file}~`, text);
  renameSync(`${file}~`, file);
}

const declare = (...streams: string[]) => reload(() => replace(path, fileOf(...streams)));

async function post(
  pathname: string,
  body: string,
  headers: Record<string, string> = {},
): Promise<[status: number, code?: string]> {
  const { status, codes } = await postTo(gateway.httpUrl + pathname, body, headers);
  const [code] = codes;
  return code === undefined ? [status] : [status, code];
}

/** Sends an event with a key to a removed stream until its answer is final. */
async function postRemoved(pathname: string, body: string) {
  let answer: [status: number, code?: string] = [0];
  const isFinal = async () => {
    answer = await post(pathname, body, keys.bearer('orderer'));
    return answer[1] !== 'draining' || undefined;
  };
  await until(isFinal, { what: 'the end of the stream' });
  return answer;
}

const valuesIn = async (topic: string) =>
  (await readTopic({ brokers, topic })).map(({ value }) => String(value));

test('an added stream gets its topic first, and is announced to open connections', async () => {
  const client = await FrameClient.open(gateway.wsUrl);
  assert.deepEqual(client.incoming.hello?.streams, ['clicks']);
  const line = await declare(CLICKS, LOGS, ORDERS);
  assert.deepEqual(line?.added, ['orders']);
  const response = await fetch(`${gateway.adminUrl}/streams`);
  const { version, streams } = (await response.json()) as { version: number; streams: object };
  assert.deepEqual([version, Object.keys(streams)], [line.version, ['clicks', 'logs', 'orders']]);
  assert.equal((await noteOffsets({ brokers, topic: topicOf('orders') })).size, 2);
  assert.deepEqual(await post('/events/orders', '{"type":"order"}'), [200]);
  await until(() => client.texts.includes('{"streams":["clicks","orders"]}'), {
    what: 'the new streams',
  });
  assert.deepEqual(await client.exchange('{"type":"order","n":2}'), []);
  assert.deepEqual((await valuesIn(topicOf('orders'))).sort(), [
    '{"type":"order","n":2}',
    '{"type":"order"}',
  ]);
  await client.close();
});

test('a changed schema alone is applied, also one that is renamed into place', async () => {
  assert.deepEqual(await post('/events/logs', '{"level":1}'), [200]);
  const line = await reload(() => {
    writeFileSync(`${schemaPath}.new`, '{"type":"object","required":["severity"]}');
    renameSync(`${schemaPath}.new`, schemaPath);
  });
  assert.deepEqual(line?.changed, ['logs']);
  assert.deepEqual(await post('/events/logs', '{"level":1}'), [400, 'schema']);
  assert.deepEqual(await post('/events/logs', '{"severity":1}'), [200]);
});

test('a link that is swapped, as in a ConfigMap, is followed; equal content is no change', async () => {
  const versions = ['one', 'two', 'three'].map((name) => join(folder, name));
  for (const [index, version] of versions.entries()) {
    writeFileSync(version, fileOf(CLICKS, LOGS, index === 0 ? '' : ORDERS));
  }
  const swap = (version: string) => {
    symlinkSync(version, `${path}.link`);
    renameSync(`${path}.link`, path);
  };
  await reload(() => swap(versions[0]!));
  await reload(() => swap(versions[1]!));
  const before = logged(gateway, 'streams changed').length;
  swap(versions[2]!);
  rmSync(path);
  // The failure shows that the file was looked at.
  await until(() => logged(gateway, FAILED).length > 0, { what: 'the look at the file' });
  writeFileSync(path, fileOf(CLICKS, LOGS));
  await until(() => logged(gateway, 'streams changed').length > before, { what: 'the change' });
  assert.equal(logged(gateway, 'streams changed').length, before + 1);
});

test('a file with errors changes nothing, and is one line with all errors', async () => {
  const before = logged(gateway, FAILED).length;
  replace(path, fileOf(CLICKS, '  Wrong: {}\n', stream('worse', ', plain: perhaps')));
  await until(() => logged(gateway, FAILED).length > before, { what: 'the failure' });
  const reason = String(logged(gateway, FAILED).at(-1)?.reason);
  assert.match(reason, /streams\.yaml:\d+:\d+: streams\.Wrong/);
  assert.match(reason, /streams\.worse\.plain/);
  assert.deepEqual(await post('/events/logs', '{"severity":1}'), [200]);
  await declare(CLICKS, LOGS, ORDERS);
  replace(schemaPath, '{"type":');
  await until(() => logged(gateway, FAILED).length > before + 1, { what: 'the broken schema' });
  assert.match(String(logged(gateway, FAILED).at(-1)?.reason), /log\.json is not valid JSON/);
  assert.deepEqual(await post('/events/logs', '{"severity":1}'), [200]);
  await reload(() => replace(schemaPath, '{"type":"object","required":["level"]}'));
  assert.deepEqual(await post('/events/logs', '{"level":1}'), [200]);
});

test('a stream that an API key names stays until the key does not', async () => {
  const entry = { name: 'orderer', sha256: keys.hash('orderer'), streams: ['orders'] };
  const reloaded = () => logged(gateway, 'key file reloaded').length;
  const before = reloaded();
  keys.writeText(JSON.stringify({ keys: [entry] }));
  await until(() => reloaded() > before, { what: 'the key' });
  const failed = logged(gateway, FAILED).length;
  replace(path, fileOf(CLICKS, LOGS));
  await until(() => logged(gateway, FAILED).length > failed, { what: 'the failure' });
  const { reason } = logged(gateway, FAILED).at(-1) ?? {};
  assert.match(String(reason), /the key orderer names streams that do not exist: orders/);
  assert.deepEqual(await post('/events/orders', '{"type":"order"}'), [200]);
  await reload(() => keys.writeText(JSON.stringify({ keys: [{ ...entry, streams: [] }] })));
  const removed = await postRemoved('/events/orders', '{"type":"order"}');
  assert.deepEqual(removed, [404, 'unknown_stream']);
  keys.writeText(JSON.stringify({ keys: [{ ...entry, streams: ['oders'] }] }));
  await until(() => String(logged(gateway, FAILED).at(-1)?.reason).includes('oders'), {
    what: 'the failure that the changed key causes',
  });
  keys.writeText(JSON.stringify({ keys: [{ ...entry, streams: [] }] }));
  await declare(CLICKS, LOGS, ORDERS);
});

test('connections to a removed stream receive goaway and end; its accepted events are stored', async () => {
  const client = await FrameClient.open(`${gateway.wsUrl}/orders`);
  const plain = await new PlainClient({ url: `${gateway.wsUrl}/orders` }).open();
  const other = await FrameClient.open(`${gateway.wsUrl}/clicks`);
  assert.deepEqual(await client.exchange('{"n":"last"}'), []);
  await declare(CLICKS, LOGS);
  assert.deepEqual(await client.ended(), { code: 1012, reason: 'stream' });
  assert(client.texts.some((text) => text.includes('"goaway":{"reason":"stream"')));
  assert.deepEqual(await plain.closed, { code: 1012, reason: 'stream' });
  assert.deepEqual(await other.exchange('{"type":"click"}'), [], 'others stay');
  await other.close();
  assert.deepEqual(await postRemoved('/events/orders', '{}'), [404, 'unknown_stream']);
  const opening = FrameClient.open(`${gateway.wsUrl}/orders`, keys.bearer('orderer'));
  await assert.rejects(opening, /404/);
  const byField = await postRemoved('/events', '{"type":"order"}');
  assert.deepEqual(byField, [400, 'unknown_stream']);
  assert((await valuesIn(topicOf('orders'))).includes('{"n":"last"}'));
});

test('a stream that moves to another topic goes on there, on the same connections', async () => {
  const client = await FrameClient.open(`${gateway.wsUrl}/clicks`);
  assert.deepEqual(await client.exchange('{"user":"u","n":1}'), []);
  const moved = CLICKS.replace(topicOf('clicks'), topicOf('moved'));
  assert.deepEqual((await declare(moved, LOGS))?.changed, ['clicks']);
  assert.deepEqual(await client.exchange('{"user":"u","n":2}'), []);
  assert.deepEqual(await valuesIn(topicOf('moved')), ['{"user":"u","n":2}']);
  assert((await valuesIn(topicOf('clicks'))).includes('{"user":"u","n":1}'));
  await client.close();
});

test('a worker that starts later has the current streams', async () => {
  await declare(CLICKS, LOGS, ORDERS);
  const [pid] = gateway.workers();
  process.kill(pid!, 'SIGKILL');
  const succeeded = () => gateway.workers().length === 2 && !gateway.workers().includes(pid!);
  await until(succeeded, { what: 'its successor' });
  await until(async () => (await fetch(`${gateway.httpUrl}/readyz`)).status === 200, {
    what: 'readiness',
  });
  for (let round = 0; round < 20; round++) {
    assert.deepEqual(await post('/events/orders', '{"type":"order"}'), [200]);
  }
});

test('no event is unaccounted for', async () => {
  assert.equal((await metricsAtRest(gateway)).value('forebay_events_unaccounted'), 0);
});
