/** `schema try` against a real Kafka: stored events and dead letters, up to a fixed end. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import type { Producer } from 'kafkajs';
import { type KafkaCluster, startCluster } from '../../../deploy/kafka/cluster.ts';
import { fetchBounds } from '../../../src/cli/listen/positions.ts';
import { fetchRange, RangeReader, type TopicRange } from '../../../src/cli/listen/range-reader.ts';
import { Child } from '../../../testing/child.ts';
import { uniqueTopic } from '../../../testing/kafka.ts';
import { createTopic, testKafka } from '../../../testing/topic.ts';
import { until } from '../../../testing/wait.ts';
import { producerOf } from '../listen/listener.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-try-'));
const NEXT = join(folder, 'next.json');
const children: Child[] = [];
/** Of its own: no group of another test is in it. */
let cluster: KafkaCluster;
let brokers: readonly string[];
let producer: Producer;

before(async () => {
  cluster = await startCluster();
  ({ brokers } = cluster);
  producer = producerOf(brokers);
  await producer.connect();
  const page = { type: 'object', required: ['page'], properties: { page: { type: 'string' } } };
  writeFileSync(NEXT, JSON.stringify({ ...page, required: ['page', 'user'] }));
  writeFileSync(join(folder, 'click.json'), JSON.stringify(page));
});
after(async () => {
  for (const child of children) await child.kill();
  await producer?.disconnect();
  await cluster?.close();
  rmSync(folder, { recursive: true });
});

function start(args: readonly string[], env: Record<string, string> = {}): Child {
  const settings = { KAFKA_BROKERS: brokers.join(','), ...env };
  const child = new Child('dist/main.js', ['schema', 'try', ...args], settings);
  children.push(child);
  return child;
}

async function newTopic(numPartitions = 1): Promise<string> {
  const topic = uniqueTopic('try');
  await createTopic({ brokers, topic }, { numPartitions });
  return topic;
}

/** Writes a stream file with `clicks` and its dead letters. */
function streamsFile(clicks: string, rejected: string): Record<string, string> {
  const file = join(folder, `${clicks}.yaml`);
  const schema = '{ file: click.json }';
  writeFileSync(
    file,
    `version: 1
streams:
  clicks: { topic: ${clicks}, schema: ${schema}, deadLetter: rejected }
  taps: { topic: ${clicks} }
  rejected: { topic: ${rejected}, internal: true }
`,
  );
  return { FOREBAY_STREAMS_FILE: file };
}

const good = JSON.stringify({ page: '/', user: 1 });
const oldOne = JSON.stringify({ page: '/old' });

/** A dead letter as the gateway writes it. */
function letter(value: string | Buffer, headers: Record<string, string> = {}) {
  return {
    value,
    headers: {
      'fb-error-code': 'schema',
      'fb-error-message': 'any',
      'fb-stream': 'clicks',
      'fb-received': String(Date.now()),
      'fb-transport': 'http',
      'fb-index': '0',
      'content-type': 'application/json',
      ...headers,
    },
  };
}

test('stored events and dead letters: results by reason, and exit code 3', async () => {
  const [clicks, rejected] = [await newTopic(2), await newTopic()];
  const msgpack = { 'content-type': 'application/msgpack' };
  await producer.send({
    topic: clicks,
    messages: [
      { partition: 0, value: good },
      { partition: 0, value: oldOne },
      { partition: 1, value: oldOne },
      { partition: 1, value: Buffer.from(encode({ page: '/', user: 2 })), headers: msgpack },
      { partition: 1, value: '{"user":1}' },
      { partition: 1, value: 'no json' },
      { partition: 1, value: null },
      { partition: 1, value: '{}', headers: { 'fb-stream': 'taps' } },
    ],
  });
  const truncated = { 'fb-truncated': '70000' };
  const packed = Buffer.from(encode({ page: '/', user: 3 }));
  await producer.send({
    topic: rejected,
    messages: [
      letter(good),
      letter(packed, msgpack),
      letter(oldOne),
      letter(good.slice(0, 5), truncated),
      letter('{', { 'fb-error-code': 'invalid_json' }),
      letter(good, { 'fb-stream': 'taps' }),
    ],
  });
  const env = streamsFile(clicks, rejected);
  const child = start([NEXT, '--stream', 'clicks', '--from', '-1h', '--json'], env);
  const { code } = await child.ended;
  assert.equal(code, 3, child.stderr);
  const { stored, deadLetters, complete } = JSON.parse(child.stdout);
  assert.equal(complete, true);
  const { events, pass, fail, newlyFailing, newlyPassing, withoutValue, ofOtherStreams } = stored;
  assert.deepEqual([events, pass, fail], [6, 2, 4]);
  assert.deepEqual([newlyFailing, newlyPassing], [2, 0]);
  assert.deepEqual([withoutValue, ofOtherStreams], [1, 1]);
  const [first, ...others] = stored.reasons;
  assert.equal(first.reason, "must have required property 'user'");
  assert.deepEqual(
    first.examples.sort((a: { partition: number }, b: { partition: number }) => {
      return a.partition - b.partition;
    }),
    [
      { partition: 0, offset: '1', event: oldOne },
      { partition: 1, offset: '0', event: oldOne },
    ],
  );
  const texts = others.map(({ reason, count }: Record<string, unknown>) => `${count} ${reason}`);
  assert.deepEqual(texts.sort(), ["1 must have required property 'page'", '1 not valid JSON']);
  assert.deepEqual([deadLetters.events, deadLetters.pass, deadLetters.fail], [4, 2, 2]);
  assert.deepEqual(deadLetters.otherCodes, { invalid_json: 1 });
  assert.equal(deadLetters.ofOtherStreams, 1);
  const later = start([NEXT, '--stream', 'clicks', '--to', '-1h', '--from', '-2h'], env);
  assert.equal((await later.ended).code, 0);
  assert.match(later.stdout, /^stored events \(topic .*\): 0$/m);
  assert.doesNotMatch(later.stderr, /\[#|\r/, 'no bar without a terminal');
});

test('a topic without a stream file: built-in schema, --limit, --no-values; missing topics', async () => {
  const topic = await newTopic();
  const builtIn = JSON.stringify({ msg: 'm', clientId: 'c', timestamp: 1, page: 'secret' });
  await producer.send({ topic, messages: [{ value: builtIn }, { value: builtIn }] });
  const some = start([NEXT, '--limit', '1', '--no-values'], { KAFKA_TOPIC: topic });
  assert.equal((await some.ended).code, 3, some.stderr);
  assert.match(some.stdout, /\): 1\n.*\n +fail +1 +100\.0% +1 of them passes the current schema\n/);
  assert.match(some.stdout, /^incomplete: ended by --limit 1$/m);
  assert.match(some.stdout, /^ +0:0$/m);
  assert.doesNotMatch(some.stdout, /secret/);
  const missing = start([NEXT, '--topic', `${topic}-none`]);
  assert.equal((await missing.ended).code, 1);
  assert.match(missing.stderr, /topic .*-none does not exist/);
  writeFileSync(join(folder, 'broken.json'), '{"type":"objekt"}');
  const broken = start([join(folder, 'broken.json'), '--topic', topic]);
  assert.equal((await broken.ended).code, 2);
  assert.match(broken.stderr, /broken\.json is not a valid schema of draft-07/);
});

test('Ctrl-C ends it with a report and exit code 1; no consumer group is left', async () => {
  const topic = await newTopic();
  const messages = Array.from({ length: 1_000 }, () => ({ value: good }));
  await producer.send({ topic, messages });
  const interrupted = start([NEXT, '--topic', topic, '--json']);
  await until(() => /reading/.test(interrupted.stderr), { what: 'the start of reading' });
  interrupted.process.kill('SIGINT');
  assert.equal((await interrupted.ended).code, 1, interrupted.stderr);
  const report = JSON.parse(interrupted.stdout);
  assert.equal(report.complete, false);
  assert.match(report.incomplete, /^interrupted, \d+ of 1000 offsets read$/);
  const whole = start([NEXT, '--topic', topic, '--json']);
  assert.equal((await whole.ended).code, 0, whole.stderr);
  assert.equal(JSON.parse(whole.stdout).stored.pass, 1_000);
  const admin = testKafka(brokers).admin();
  await admin.connect();
  const { groups } = await admin.listGroups();
  const states = groups.filter(({ groupId }) => groupId.startsWith('forebay-listen-'));
  await admin.disconnect();
  assert.deepEqual(states, []);
});

/** Reads a range. @returns the values, and the lines about it */
async function read(range: TopicRange, onRecord: (value: string) => void = () => {}) {
  const values: string[] = [];
  const lines: string[] = [];
  const reader = new RangeReader({
    kafka: testKafka(brokers),
    range,
    say: (line) => lines.push(line),
    signal: new AbortController().signal,
    onRecords: (_, records) => {
      for (const { value } of records) onRecord(String(value));
      values.push(...records.map(({ value }) => String(value)));
    },
  });
  await reader.read();
  assert.equal(reader.position, reader.size);
  return { values, lines };
}

test('a range ends at its snapshot, also behind records that no consumer receives', async (t) => {
  const topic = await newTopic();
  const kafka = testKafka(brokers);
  const transactions = kafka.producer({
    transactionalId: uniqueTopic('tx'),
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await transactions.connect();
  t.after(() => transactions.disconnect());
  const whole = () => fetchRange(kafka, topic, { from: 'beginning', to: undefined });
  /** Sends one record in a transaction, and waits for its control record. */
  const send = async (value: string, end: 'commit' | 'abort') => {
    const [before = 0n] = (await whole()).end.values();
    const transaction = await transactions.transaction();
    await transaction.send({ topic, messages: [{ value }] });
    await transaction[end]();
    await until(async () => (await whole()).end.get(0) === before + 2n, { what: 'control record' });
  };
  await send('committed', 'commit');
  await send('aborted', 'abort');
  const range = await whole();
  await producer.send({ topic, messages: [{ value: 'later' }] });
  assert.deepEqual(await read(range), { values: ['committed'], lines: [] });
  const next = await whole();
  await send('aborted', 'abort');
  assert.deepEqual(await read(next), { values: ['committed', 'later'], lines: [] });
  assert.deepEqual(await read(await whole()), { values: ['committed', 'later'], lines: [] });
  const open = await transactions.transaction();
  await open.send({ topic, messages: [{ value: 'open' }] });
  assert.deepEqual(await read(await whole()), { values: ['committed', 'later'], lines: [] });
  await open.abort();
  const fails = (value: string) => {
    throw new TypeError(`cannot use ${value}`);
  };
  await assert.rejects(read(range, fails), new TypeError('cannot use committed'));
});

test('a range whose last records do not exist any more ends with a line about them', async () => {
  const topic = await newTopic(2);
  await producer.send({ topic, messages: [{ partition: 0, value: 'a' }] });
  await producer.send({ topic, messages: [{ partition: 1, value: 'b' }] });
  const { low, high } = await fetchBounds(testKafka(brokers), topic);
  const end = new Map([...high].map(([partition, next]) => [partition, next + 2n]));
  const { values, lines } = await read({ topic, first: low, end });
  assert.deepEqual(values.sort(), ['a', 'b']);
  assert.deepEqual(
    lines.sort(),
    [0, 1].map((partition) => `partition ${partition} of ${topic} has no records from 1 to 2`),
  );
  const admin = testKafka(brokers).admin();
  await admin.connect();
  // kafkajs deletes records only of topics that it knows.
  await admin.fetchTopicOffsets(topic);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '-1' }] });
  await admin.disconnect();
  const rest = await read({ topic, first: low, end: high });
  assert.deepEqual(rest.values, ['b']);
  assert.deepEqual(rest.lines, [`partition 0 of ${topic} has no records from 0 to 0`]);
});
