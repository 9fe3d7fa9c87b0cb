/** Dead letters from the socket to Kafka, also of a worker that is killed. */
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { FrameClient } from '../../testing/frame-client.ts';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { KeyFile } from '../../testing/key-file.ts';
import type { Metrics } from '../../testing/metrics.ts';
import { PlainClient } from '../../testing/plain-client.ts';
import { freshMetrics } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { logged } from '../../testing/watch.ts';
import { type ReadRecord, readWithHeaders } from '../support/headers.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-dead-letters-'));
const path = join(folder, 'streams.yaml');
const keys = new KeyFile();
const prefix = uniqueTopic();
const topicOf = (stream: string) => `${prefix}.${stream}`;
const declared = (name: string, rest: string, config = '') =>
  `  ${name}: { topic: ${topicOf(name)}, create: { partitions: 1, replication: 1${config} }, ${rest} }\n`;
const WORKERS = 2;
const COMPACTED = ', config: { cleanup.policy: compact }';
const CLICKS =
  'match: [click], schema: { file: click.json }, key: { field: user }, headers: [user-agent]';
const REJECTED = declared('rejected', 'internal: true');
const fileOf = (clicks: string) => `version: 1
routing: { field: type }
defaults: { deadLetter: rejected }
streams:
${declared('clicks', clicks)}
${declared('latest', 'key: none', COMPACTED)}
${REJECTED}`;

let gateway: Gateway;
let brokers: readonly string[];

before(async () => {
  writeFileSync(path, fileOf(CLICKS));
  writeFileSync(
    join(folder, 'click.json'),
    '{"type":"object","required":["n"],"properties":{"n":{"type":"integer"}}}',
  );
  keys.write('shop');
  ({ brokers } = await sharedKafka());
  const env = {
    FOREBAY_STREAMS_FILE: path,
    FOREBAY_KEYS_FILE: keys.path,
    FOREBAY_WORKERS: String(WORKERS),
  };
  gateway = await startGateway({ brokers, topic: uniqueTopic(), env });
  // The topic of dead letters is not required: the workers may know it after they are ready.
  await until(
    async () => {
      const metrics = await gateway.metrics();
      return metrics.value('forebay_lanes', { stream: 'rejected' }) === WORKERS;
    },
    { everyMs: 100, what: 'lanes for dead letters' },
  );
});
after(async () => {
  await gateway?.stop();
  keys.remove();
  rmSync(folder, { recursive: true });
});

let fromOffset = 0n;
/** Waits for the next `count` letters. */
async function nextLetters(count: number): Promise<ReadRecord[]> {
  const letters = await until(
    async () => {
      const fromOffsets = new Map([[0, fromOffset]]);
      const found = await readWithHeaders({ brokers, topic: topicOf('rejected'), fromOffsets });
      return found.length >= count && found;
    },
    { everyMs: 200, what: `${count} letters` },
  );
  fromOffset = BigInt(letters.at(-1)!.offset) + 1n;
  assert.equal(letters.length, count);
  return letters;
}

const shownOf = ({ key, value, headers }: ReadRecord) => {
  const of = new Map(headers);
  const header = (name: string) => of.get(`fb-${name}`);
  const names = ['error-code', 'stream', 'identity', 'transport', 'index'];
  return [key?.toString(), value?.toString(), ...names.map(header)];
};

async function post(target: string, body: string | Buffer, headers: Record<string, string> = {}) {
  const response = await fetch(`${gateway.httpUrl}/events${target}`, {
    method: 'POST',
    body: new Uint8Array(Buffer.from(body)),
    headers: { ...keys.bearer('shop'), ...headers },
  });
  return { status: response.status, text: await response.text() };
}

/** Returns the letters of all streams and codes by result. */
function totals(metrics: Metrics) {
  const ended = (result: string) => metrics.value('forebay_dead_letters_total', { result });
  return {
    attempted: metrics.value('forebay_dead_letters_attempted_total'),
    ended: ended('written') + ended('dropped') + ended('lost'),
    lost: ended('lost'),
    inFlight: metrics.value('forebay_dead_letters_in_flight'),
  };
}

test('events of bodies, of acknowledged and of plain connections leave dead letters', async () => {
  const { text } = await post('', '[{"type":"click","n":"1","user":"u"},{"type":"zoom"}]');
  assert.match(text, /"accepted":0/);
  assert.deepEqual((await nextLetters(2)).map(shownOf), [
    ['u', '{"type":"click","n":"1","user":"u"}', 'schema', 'clicks', 'shop', 'http', '0'],
    [undefined, '{"type":"zoom"}', 'unknown_stream', undefined, 'shop', 'http', '1'],
  ]);
  const client = await FrameClient.open(`${gateway.wsUrl}/clicks`, {
    ...keys.bearer('shop'),
    'User-Agent': 'till/3',
  });
  assert.deepEqual(client.incoming.hello?.streams, ['clicks']);
  const [error] = await client.exchange('[{"n":1},{"n":null}]');
  assert.equal(error?.code, 'schema');
  await client.exchange('{oops');
  await client.close();
  const letters = await nextLetters(2);
  assert.deepEqual(letters.map(shownOf), [
    [undefined, '{"n":null}', 'schema', 'clicks', 'shop', 'ws', '1'],
    [undefined, '{oops', 'invalid_json', 'clicks', 'shop', 'ws', undefined],
  ]);
  assert.equal(new Map(letters[0]!.headers).get('fb-user-agent'), 'till/3');
  const url = `${gateway.wsUrl}/clicks`;
  const plain = await new PlainClient({ url, headers: keys.bearer('shop') }).open();
  plain.socket.send('[{"n":2},7]');
  assert.deepEqual((await nextLetters(1)).map(shownOf), [
    [undefined, '7', 'not_an_object', 'clicks', 'shop', 'ws', '1'],
  ]);
  await plain.close();
});

test('MessagePack and events that Kafka rejects are kept as well', async () => {
  const bytes = Buffer.from(encode({ n: 1.5 }));
  await post('/clicks', bytes, { 'Content-Type': 'application/msgpack' });
  const [letter] = await nextLetters(1);
  assert.deepEqual(letter?.value, bytes);
  assert.equal(new Map(letter?.headers).get('content-type'), 'application/msgpack');
  const { text } = await post('/latest', '{"a":1}');
  assert.match(text, /rejected_by_kafka/, 'a compacted topic requires keys');
  assert.deepEqual((await nextLetters(1)).map(shownOf), [
    [undefined, '{"a":1}', 'rejected_by_kafka', 'latest', 'shop', 'http', '0'],
  ]);
});

test('clients cannot write to the internal stream, and their credentials never reach it', async () => {
  assert.equal((await post('/rejected', '{}')).status, 404);
  await assert.rejects(FrameClient.open(`${gateway.wsUrl}/rejected`, keys.bearer('shop')));
  const denied = await post('/clicks', '{"n":"x"}', keys.bearer('stranger'));
  assert.equal(denied.status, 401);
  const cookie = 'session=s3cret';
  await post('/clicks?access_token=s3cret', '{"n":"x"}', { Cookie: cookie });
  await nextLetters(1);
  const all = await readWithHeaders({ brokers, topic: topicOf('rejected') });
  const text = JSON.stringify(
    all.map(({ key, value, headers }) => [`${key}`, `${value}`, headers]),
  );
  for (const secret of [...keys.secrets, 's3cret']) assert(!text.includes(secret));
});

test('a reload switches dead letters off and on for a stream', async () => {
  const write = async (text: string, version: number) => {
    writeFileSync(`${path}~`, text);
    renameSync(`${path}~`, path);
    await until(() => logged(gateway, 'streams reloaded').length >= version, { what: 'a reload' });
  };
  const off = fileOf(CLICKS).replace('defaults: { deadLetter: rejected }\n', '');
  await write(off, 1);
  await post('/clicks', '{"n":"off"}');
  await write(fileOf(CLICKS), 2);
  await post('/clicks', '{"n":"on"}');
  assert.deepEqual(
    (await nextLetters(1)).map(({ value }) => String(value)),
    ['{"n":"on"}'],
  );
});

test('of a worker that is killed, dead letters without a result count as lost: each one ends once', async () => {
  const frame = `[${new Array(100).fill('{"n":"bad"}').join(',')}]`;
  const clients = await Promise.all(
    Array.from({ length: 8 }, () =>
      new PlainClient({ url: `${gateway.wsUrl}/clicks`, headers: keys.bearer('shop') }).open(),
    ),
  );
  const victim = gateway.workers()[0]!;
  const before = totals(await freshMetrics(gateway));
  let isKilled = false;
  // Reports once a second: at the time of one of them some letters are in flight.
  for (let lost = 0; lost === 0; ) {
    for (const { socket } of clients) if (socket.readyState === socket.OPEN) socket.send(frame);
    const { inFlight, lost: now } = totals(await gateway.metrics());
    if (!isKilled && inFlight > 0) {
      process.kill(victim, 'SIGKILL');
      isKilled = true;
    }
    if (isKilled && !gateway.workers().includes(victim)) {
      lost = now - before.lost;
      if (lost === 0) break;
    }
  }
  for (const client of clients) client.socket.terminate();
  const rest = await until(
    async () => {
      const now = totals(await freshMetrics(gateway));
      return now.inFlight === 0 && now;
    },
    { what: 'no letters in flight' },
  );
  assert(isKilled, 'the fault happened');
  assert(rest.attempted > before.attempted);
  assert.equal(rest.attempted, rest.ended, JSON.stringify(rest));
  assert.deepEqual((await freshMetrics(gateway)).unaccounted, []);
});
