import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseListenArguments } from '../../../src/cli/listen/arguments.ts';
import { chooseTopic } from '../../../src/cli/listen/topic-choice.ts';
import { StartError } from '../../../src/common/errors.ts';
import { readConfig } from '../../../src/config/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-listen-'));
after(() => rmSync(folder, { recursive: true }));

/** Writes a stream file; its schemas need not exist, nor API keys for its access. */
function fileOf(name: string, streams: string): string {
  const path = join(folder, name);
  writeFileSync(path, `version: 1\nstreams:\n${streams}`);
  return path;
}

const SEVERAL = fileOf(
  'several.yaml',
  `  clicks: { topic: web.clicks, access: keyed }
  orders: { topic: shop.orders, schema: { file: none.json }, key: { fields: [shop, order.id] } }
  returns: { topic: shop.orders, key: none }
`,
);

async function choice(argv: readonly string[], env: Record<string, string>) {
  return chooseTopic(readConfig(env), parseListenArguments(argv), env);
}

async function messageOf(argv: readonly string[], env: Record<string, string>): Promise<string> {
  const error = await choice(argv, env).then(
    () => undefined,
    (failure: unknown) => failure,
  );
  assert(error instanceof StartError, argv.join(' '));
  assert.equal(error.exitCode, 2);
  return error.message;
}

test('without a stream file: KAFKA_TOPIC or its default, or the topic of an option', async () => {
  assert.deepEqual(await choice([], {}), {
    topic: 'event_topic_newer',
    idField: 'id',
    notes: [],
  });
  assert.deepEqual(await choice([], { KAFKA_TOPIC: 'a' }), {
    topic: 'a',
    idField: 'id',
    notes: [],
  });
  assert.deepEqual(await choice(['--topic', 'b'], { KAFKA_TOPIC: 'a' }), {
    topic: 'b',
    idField: 'id',
    notes: [],
  });
});

test('--stream reads the topic of the stream, and names its record key', async () => {
  const env = { FOREBAY_STREAMS_FILE: SEVERAL, FOREBAY_KEY_FIELD: 'user.id' };
  assert.deepEqual(await choice(['--stream', 'clicks'], env), {
    topic: 'web.clicks',
    idField: 'id',
    notes: ['stream clicks: record key user.id'],
  });
  const set = { ...env, KAFKA_TOPIC: 'unused' };
  assert.deepEqual(await choice(['--stream', 'orders'], set), {
    topic: 'shop.orders',
    idField: 'id',
    notes: [
      'stream orders: record key shop|order.id',
      'shop.orders also has the events of returns',
    ],
  });
  const { notes } = await choice(['--stream', 'returns'], env);
  assert.equal(notes[0], 'stream returns: no record key');
});

test('a stream whose schema is in a registry: the registry is not needed', async () => {
  const schema = '{ subject: a-value, version: 3, framing: header }';
  const path = fileOf('registry.yaml', `  a: { topic: t, schema: ${schema} }\n`);
  const { topic } = await choice(['--stream', 'a'], { FOREBAY_STREAMS_FILE: path });
  assert.equal(topic, 't');
});

test('a stream file without a choice: its only topic, else the streams to choose from', async () => {
  const one = fileOf('one.yaml', '  a: { topic: t }\n  b: { topic: t }\n');
  assert.deepEqual(await choice([], { FOREBAY_STREAMS_FILE: one }), {
    topic: 't',
    idField: 'id',
    notes: [`${one} has one topic, t`],
  });
  assert.equal(
    await messageOf([], { FOREBAY_STREAMS_FILE: SEVERAL }),
    `listen: ${SEVERAL} has 2 topics: choose a stream with --stream (clicks, orders, returns)`,
  );
  assert.deepEqual(await choice([], { FOREBAY_STREAMS_FILE: SEVERAL, KAFKA_TOPIC: 'a' }), {
    topic: 'a',
    idField: 'id',
    notes: [`KAFKA_TOPIC is set: ignoring the streams of ${SEVERAL}`],
  });
});

test('an unknown stream, or no stream file: exit code 2, and the names', async () => {
  const env = { FOREBAY_STREAMS_FILE: SEVERAL };
  const names = 'Its streams: clicks, orders, returns';
  assert.equal(
    await messageOf(['--stream', 'order'], env),
    `listen: ${SEVERAL} has no stream "order"; did you mean orders? ${names}`,
  );
  assert.equal(
    await messageOf(['--stream', 'x'], env),
    `listen: ${SEVERAL} has no stream "x". ${names}`,
  );
  assert.equal(
    await messageOf(['--stream', 'x'], {}),
    'listen: --stream requires a stream file: set FOREBAY_STREAMS_FILE',
  );
  const missing = join(folder, 'missing.yaml');
  assert.match(
    await messageOf(['--stream', 'x'], { FOREBAY_STREAMS_FILE: missing }),
    /^cannot read .*missing.yaml: no such file/,
  );
  const broken = fileOf('broken.yaml', '  a: { topics: t }\n');
  assert.match(await messageOf(['--stream', 'a'], { FOREBAY_STREAMS_FILE: broken }), /:3:8: /);
});

test('--sequence-field requires the record key of the stream', async () => {
  const argv = ['--verify', '--sequence-field', 'seq', '--stream'];
  const env = { FOREBAY_STREAMS_FILE: SEVERAL };
  assert.equal((await choice([...argv, 'orders'], env)).topic, 'shop.orders');
  assert.equal(
    await messageOf([...argv, 'returns'], env),
    'listen: --sequence-field requires a record key, and stream returns has none',
  );
});

test('ids are in the field of the stream; without a choice in the one that all streams have', async () => {
  const lines = [
    '  a: { topic: t, headers: [event-id], idField: meta.id }',
    '  b: { topic: t, headers: [event-id], idField: meta.id }',
  ];
  const one = fileOf('ids.yaml', `${lines.join('\n')}\n`);
  const env = { FOREBAY_STREAMS_FILE: one, FOREBAY_ID_FIELD: 'eventId' };
  assert.equal((await choice(['--stream', 'a'], env)).idField, 'meta.id');
  assert.equal((await choice([], env)).idField, 'meta.id');
  assert.equal((await choice(['--topic', 't'], env)).idField, 'eventId');
  const mixed = fileOf('mixed.yaml', `${lines.join('\n')}\n  c: { topic: t }\n`);
  const other = { ...env, FOREBAY_STREAMS_FILE: mixed };
  assert.equal((await choice(['--stream', 'a'], other)).idField, 'meta.id');
  assert.equal((await choice(['--stream', 'c'], other)).idField, 'eventId');
  assert.equal((await choice([], other)).idField, 'eventId');
});
