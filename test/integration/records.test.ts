/** Stored records: the client's bytes, key, partition, timestamp, no headers. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { type KafkaMessage, Partitioners } from 'kafkajs';
import { arrayOf, goodOfBytes } from '../../testing/events.ts';
import { accountOf, post, Tally } from '../../testing/stage.ts';
import { missingTool } from '../../testing/tools.ts';
import { testKafka } from '../../testing/topic.ts';
import { until } from '../../testing/wait.ts';
import { useAnyObjectSchema, useFrameClient, useStage } from '../support/use-stage.ts';

const PARTITIONS = 7;

const stage = useStage({
  partitions: PARTITIONS,
  env: { FOREBAY_EVENT_SCHEMA: useAnyObjectSchema() },
});
const client = useFrameClient(stage);
const tally = new Tally();
/** Everything that must be in the topic, in any order. */
const allValues: string[] = [];

/** Records that these values are in the topic. */
function note(transport: 'ws' | 'http', values: readonly string[]): void {
  allValues.push(...values);
  tally[transport](values.length);
}

/** Texts that parsing and serializing would change. */
const ODD = [
  '{}',
  '{ }',
  '{"a":1,"a":2,"a":3}',
  '{"a" :\t1.0 , "b":[ 1 ,2,\r3 ]}',
  '{"n":123456789012345678901234567890.10e+5,"m":-0,"e":1E400,"f":0.10}',
  '{"s":"\\u0041\\/\\b\\f\\n\\r\\t\\"\\\\"}',
  '{"s":"\\ud83d\\ude00 \\ud800 \\u0000"}',
  '{"é":"日本 😀 \u2028 \u2029 \u007f \ufeff \uffff"}',
  '{"__proto__":{"x":1},"constructor":{"prototype":null},"toString":0}',
  `{"deep":${'['.repeat(63)}${']'.repeat(63)}}`,
  '{"10":1,"9":2,"b":3,"a":4}',
  '{"":"","{":"}","[":"]",",":",","\\"":"\\\\"}',
  '{"true":true,"null":null,"false":false}',
];

test('each event is stored byte for byte, alone and as an element of an array', async () => {
  for (const text of ODD) assert.deepEqual(await client.exchange(text), [], text);
  assert.deepEqual(await client.exchange(`[\r\n ${ODD.join(' ,\t')}\n]`), []);
  const stored = await stage.newValues();
  assert.deepEqual(stored.sort(), [...ODD, ...ODD].sort());
  note('ws', stored);
});

test('each line is stored byte for byte, ended by LF or CRLF, with surrounding white space', async () => {
  const lines = ODD.filter((text) => !/[\r\n]/.test(text));
  for (const end of ['\n', '\r\n', ' \t\r\n\r\n  ']) {
    assert.deepEqual(await client.exchange(lines.join(end)), []);
    const stored = await stage.newValues();
    assert.deepEqual(stored.sort(), [...lines].sort());
    note('ws', stored);
  }
});

test('events over HTTP are stored byte for byte', async () => {
  for (const [type, body] of [
    ['application/json', arrayOf(ODD)],
    ['application/x-ndjson', ODD.map((text) => text.replace(/[\r\n]/g, ' ')).join('\r\n')],
  ] as const) {
    const answer = await post(stage, body, type);
    const stored = await stage.newValues();
    assert.deepEqual(answer.body, { accepted: ODD.length, errors: [] });
    const sent = type === 'application/json' ? ODD : body.split('\r\n');
    assert.deepEqual(stored.sort(), [...sent].sort());
    note('http', stored);
  }
});

test('a pretty-printed event keeps its line breaks', async () => {
  const pretty = `{\r\n\t"a": [\n  1\r\n],\n\n "b":{ }\r}`;
  assert.deepEqual(await client.exchange(`\n${pretty} \r\n`), []);
  const stored = await stage.newValues();
  assert.deepEqual(stored, [pretty]);
  note('ws', stored);
});

test('events of every length up to the bound are stored whole', async () => {
  const lengths = [100, 127, 128, 2_047, 2_048, 8_191, 16_383, 16_384, 40_000, 65_535, 65_536];
  const events = lengths.map((bytes) => goodOfBytes(`${bytes}`, bytes));
  for (const event of events) assert.deepEqual(await client.exchange(event), []);
  const stored = await stage.newValues();
  assert.deepEqual(stored.sort(), [...events].sort());
  note('ws', stored);
});

/** Text of an event, and the expected key of its record. */
const KEYS: readonly (readonly [text: string, key: string | null])[] = [
  ['{"clientId":"plain"}', 'plain'],
  ['{"clientId":""}', ''],
  ['{"clientId":"ключ 日本 😀"}', 'ключ 日本 😀'],
  ['{"clientId":"\\u0041\\n\\u0000"}', 'A\n\0'],
  ['{"clientId":"\\ud800"}', '\ufffd'],
  ['{"clientId":"first","clientId":"last"}', 'last'],
  [`{"clientId":"${'k'.repeat(30_000)}"}`, 'k'.repeat(30_000)],
  [`{"clientId":"${'€'.repeat(21_000)}"}`, '€'.repeat(21_000)],
  ['{}', null],
  ['{"clientId":null}', null],
  ['{"clientId":7}', '7'],
  ['{"clientId":12345678901234567890.0}', '12345678901234567890'],
  ['{"clientId":true}', 'true'],
  ['{"clientId":["a"]}', null],
  ['{"clientId":{"a":"b"}}', null],
  ['{"ClientId":"other field"}', null],
  ['{"inner":{"clientId":"not the event’s own"}}', null],
  ['{"__proto__":{"clientId":"inherited"}}', null],
];

test('the key is the text of clientId, also an empty one; null, objects and arrays yield no key', async () => {
  for (const [text] of KEYS) assert.deepEqual(await client.exchange(text), []);
  const records = await stage.newRecords();
  const keys = new Map(
    records.map(({ key, value }) => [String(value), key === null ? null : String(key)]),
  );
  assert.deepEqual(keys, new Map(KEYS));
  note('ws', [...keys.keys()]);
});

test('partition = murmur2 of the key, as in Java’s default partitioner', async () => {
  const oracle = Partitioners.DefaultPartitioner();
  const partitionMetadata = Array.from({ length: PARTITIONS }, (_, partitionId) => ({
    partitionId,
    leader: 1,
    partitionErrorCode: 0,
    replicas: [1],
    isr: [1],
  }));
  const alphabet = ['a', 'Z', '0', 'é', '€', '😀', ' ', '-'];
  const keys = Array.from({ length: 400 }, (_, index) =>
    Array.from({ length: index % 23 }, (_, at) => alphabet[(index * 7 + at * at) % 8]).join(''),
  );
  const events = keys.map((key, index) => JSON.stringify({ id: index, clientId: key }));
  assert.deepEqual(await client.exchange(arrayOf(events)), []);
  const records = await stage.newRecords();
  assert.equal(records.length, events.length);
  for (const { key, partition } of records) {
    const expected = oracle({ topic: stage.topic, partitionMetadata, message: { key, value: '' } });
    assert.equal(partition, expected, `key ${key}`);
  }
  assert.equal(new Set(records.map(({ partition }) => partition)).size, PARTITIONS);
  note('ws', events);
});

test('events without a key spread over partitions in time', async () => {
  const partitions = new Set<number>();
  await until(
    async () => {
      assert.deepEqual(await client.exchange('{}'), []);
      const records = await stage.newRecords();
      for (const { partition } of records) partitions.add(partition);
      note('ws', ['{}']);
      return partitions.size >= 3;
    },
    { what: 'three partitions' },
  );
});

test('timestamp = arrival at the gateway, and no headers', async () => {
  const partitionsBefore = await highOffsets();
  const before = Date.now();
  assert.deepEqual(await client.exchange('{"clientId":"t"}'), []);
  const after = Date.now();
  const messages: KafkaMessage[] = [];
  const consumer = testKafka(stage.brokers).consumer({ groupId: `${stage.topic}-headers` });
  await consumer.connect();
  try {
    await consumer.subscribe({ topic: stage.topic });
    await consumer.run({ eachMessage: async ({ message }) => void messages.push(message) });
    for (const [partition, offset] of partitionsBefore) {
      consumer.seek({ topic: stage.topic, partition, offset });
    }
    await until(() => messages.length > 0, { what: 'the record' });
  } finally {
    await consumer.disconnect();
  }
  const [message] = messages;
  assert.equal(String(message?.value), '{"clientId":"t"}');
  assert.deepEqual(message?.headers, {});
  // Both use this machine's clock.
  const timestamp = Number(message?.timestamp);
  assert(timestamp >= before && timestamp <= after, `${before} ${timestamp} ${after}`);
  note('ws', await stage.newValues());
});

async function highOffsets(): Promise<[number, string][]> {
  const admin = testKafka(stage.brokers).admin();
  await admin.connect();
  const offsets = await admin.fetchTopicOffsets(stage.topic);
  await admin.disconnect();
  return offsets.map(({ partition, high }) => [partition, high]);
}

test('kcat reads every record with checksum verification, and the same values', {
  skip: missingTool('kcat'),
}, async () => {
  const args = ['-C', '-e', '-q', '-b', stage.brokers.join(','), '-t', stage.topic];
  const checked = [...args, '-o', 'beginning', '-X', 'check.crcs=true', '-D', '\\x01'];
  const { stdout, stderr } = await promisify(execFile)('kcat', checked, { maxBuffer: 2 ** 26 });
  assert.equal(stderr, '');
  const values = stdout.split('\x01').slice(0, -1);
  assert.deepEqual(values.sort(), [...allValues].sort());
});

test('all events are accounted for, without protocol violations', async () => {
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
  assert.deepEqual(client.violations, []);
});
