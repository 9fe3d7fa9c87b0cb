/** Schemas of a registry in a running gateway; its records as another deserializer reads them. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import { encode } from '@msgpack/msgpack';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { readTopic } from '../../testing/topic.ts';
import { until } from '../../testing/wait.ts';
import { failedStart, logged, untilLogged } from '../../testing/watch.ts';
import { postTo } from '../support/post-to.ts';
import { TestRegistry } from '../support/schema-registry.ts';

const GUID = '0123abcd-89ab-cdef-0123-456789abcdef';
const ID = 0x01_23_45_67;
const folder = mkdtempSync(join(tmpdir(), 'forebay-schema-registry-'));
const copies = join(folder, 'copies');
const path = join(folder, 'streams.yaml');
const authFile = join(folder, 'auth');
const prefix = uniqueTopic();
const topicOf = (stream: string) => `${prefix}.${stream}`;
const SCHEMA = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  type: 'object',
  required: ['id', 'country'],
  properties: { id: { type: 'string' }, country: { $ref: 'country.json' } },
};
const REFERENCES = [{ name: 'country.json', subject: 'country', version: 1 }];

const registry = new TestRegistry();
let brokers: readonly string[];
let gateway: Gateway;
let port: number;

function settings(): Record<string, string> {
  return {
    FOREBAY_STREAMS_FILE: path,
    FOREBAY_WORKERS: '2',
    FOREBAY_SCHEMA_REGISTRY_URL: `http://127.0.0.1:${port}`,
    FOREBAY_SCHEMA_REGISTRY_AUTH_FILE: authFile,
    FOREBAY_SCHEMA_REGISTRY_CACHE_DIR: copies,
    KAFKA_LINGER_MS: '1',
  };
}

const start = () => startGateway({ brokers, topic: uniqueTopic(), env: settings() });

before(async () => {
  await registry.listen();
  ({ port } = registry);
  registry.authorization = `Basic ${Buffer.from('me:s3cret').toString('base64')}`;
  writeFileSync(authFile, 'me:s3cret\n');
  registry.registerJson('country', { $id: 'country.json', type: 'string', maxLength: 2 });
  registry.registerJson('events-value', SCHEMA, { id: ID, guid: GUID, references: REFERENCES });
  const stream = (name: string, schema: string) =>
    `  ${name}: { topic: ${topicOf(name)}, create: { partitions: 1, replication: 1 }, key: { field: id }, schema: { subject: events-value, ${schema} } }\n`;
  const streams = [
    stream('plain', 'version: latest'),
    stream('prefixed', 'framing: prefix'),
    stream('headed', 'framing: header, version: 1'),
  ];
  writeFileSync(path, `version: 1\nstreams:\n${streams.join('')}`);
  ({ brokers } = await sharedKafka());
  gateway = await start();
});
after(async () => {
  await gateway?.stop();
  await registry.close();
  rmSync(folder, { recursive: true });
});

async function valuesOf(stream: string) {
  const records = await readTopic({ brokers, topic: topicOf(stream) });
  return records.map(({ value, headers }) => ({ value: value!, headers }));
}

const post = (stream: string, events: readonly unknown[]) =>
  postTo(`${gateway.httpUrl}/events/${stream}`, JSON.stringify(events), {
    'content-type': 'application/json',
  });

/** Runs a command with the gateway's settings. */
async function command(...args: string[]): Promise<string> {
  const env = { ...process.env, ...settings(), KAFKA_BROKERS: brokers.join(',') };
  const { stdout } = await promisify(execFile)(process.execPath, ['dist/main.js', ...args], {
    env,
  });
  return stdout;
}

test('records with a prefix are read by the deserializer of another project', async () => {
  const events = [
    { id: 'a', country: 'de' },
    { id: 'é', country: 'fr', more: [1, 2] },
  ];
  const json = await post('prefixed', [events[0], { id: 'b', country: 'deu' }]);
  assert.deepEqual([json.accepted, json.codes], [1, ['schema']], 'the reference is validated');
  const packed = await postTo(`${gateway.httpUrl}/events/prefixed`, encode([events[1]]), {
    'content-type': 'application/msgpack',
  });
  assert.equal(packed.accepted, 1);
  const records = await valuesOf('prefixed');
  const auth = { username: 'me', password: 's3cret' };
  const deserializer = new SchemaRegistry({ host: registry.url, auth });
  const decoded = await Promise.all(records.map(({ value }) => deserializer.decode(value)));
  assert.deepEqual(decoded, events);
  assert.deepEqual(
    records.map(({ value }) => value.readInt32BE(1)),
    [ID, ID],
  );
});

test('the header has the GUID, and other records are plain', async () => {
  const event = { id: 'a', country: 'de' };
  const shown = await fetch(`${gateway.httpUrl}/events/headed?records=1`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify([event]),
  });
  const { records } = (await shown.json()) as { records: { headers: unknown }[] };
  assert.deepEqual(records[0]?.headers, { __value_schema_id: GUID });
  assert.deepEqual(await valuesOf('headed'), [
    {
      value: Buffer.from(JSON.stringify(event)),
      headers: [{ name: '__value_schema_id', value: Buffer.from(GUID) }],
    },
  ]);
  await post('plain', [event]);
  assert.deepEqual(await valuesOf('plain'), [
    { value: Buffer.from(JSON.stringify(event)), headers: [] },
  ]);
});

test('listen shows the event behind the prefix, and its schema', async () => {
  const topic = topicOf('prefixed');
  const args = ['--topic', topic, '--from', 'beginning', '--count', '1', '--filter', 'id=a'];
  const [line] = (await command('listen', ...args, '--json')).split('\n');
  const { schemaId, value } = JSON.parse(line!) as { schemaId: number; value: string };
  assert.deepEqual([schemaId, JSON.parse(value)], [ID, { id: 'a', country: 'de' }]);
});

test('a new version takes effect without a restart', async () => {
  const next = registry.registerJson(
    'events-value',
    { ...SCHEMA, required: ['id', 'at'] },
    {
      guid: GUID,
      references: REFERENCES,
    },
  );
  await untilLogged(gateway, 'streams reloaded');
  const rejected = await post('prefixed', [{ id: 'c', country: 'de' }]);
  assert.deepEqual(rejected.codes, ['schema']);
  await post('prefixed', [{ id: 'd', at: 1 }]);
  const last = (await valuesOf('prefixed')).at(-1)!;
  assert.equal(last.value.readInt32BE(1), next.id);
  const old = await post('headed', [{ id: 'e', country: 'de' }]);
  assert.equal(old.accepted, 1, 'its version is fixed');
  const { streams } = (await (await fetch(`${gateway.adminUrl}/streams`)).json()) as {
    streams: Record<string, { schema: Record<string, unknown> }>;
  };
  const { subject, version, id, framing } = streams.prefixed!.schema;
  assert.deepEqual([subject, version, id, framing], ['events-value', 2, next.id, 'prefix']);
  assert.match(await command('streams', 'diff', '--gateway', gateway.adminUrl), /^no differences/);
  const metrics = await gateway.metrics();
  const labels = { stream: 'prefixed' };
  assert(metrics.value('forebay_schema_registry_age_seconds', labels) < 60);
});

test('without the registry the gateway starts from its copies', async (t) => {
  registry.state = 'broken';
  await gateway.stop();
  gateway = await start();
  assert.equal((await post('prefixed', [{ id: 'g', at: 1 }])).accepted, 1);
  const warnings = await until(() => {
    const lines = logged(gateway, 'warning about the stream file');
    return lines.length >= 3 && lines.map(({ problem }) => String(problem));
  });
  assert.match(warnings.join('\n'), /"events-value" uses version 2, confirmed 20.*: response 500/);
  assert.match(await command('streams', 'check'), /prefixed/);
  const log = JSON.stringify([gateway.log, gateway.errors]);
  assert(!log.includes('s3cret'), 'no credentials in the log');
  const env = { ...settings(), FOREBAY_SCHEMA_REGISTRY_CACHE_DIR: join(folder, 'none') };
  const { code, errors } = await failedStart(t, { brokers, topic: uniqueTopic(), env });
  assert.equal(code, 1);
  assert.match(errors.join('\n'), /streams\.plain\.schema\.subject: "events-value": response 500/);
});
