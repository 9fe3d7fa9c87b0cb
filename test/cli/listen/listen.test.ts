import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Producer } from 'kafkajs';
import { freePorts } from '../../../deploy/kafka/ports.ts';
import { sharedKafka, uniqueTopic } from '../../../testing/kafka.ts';
import { testKafka } from '../../../testing/topic.ts';
import { killListeners, Listener, newTopic, producerOf } from './listener.ts';

let brokers: readonly string[];
let producer: Producer;

before(async () => {
  ({ brokers } = await sharedKafka());
  producer = producerOf(brokers);
  await producer.connect();
});
after(async () => {
  killListeners();
  await producer.disconnect();
});

const place = (topic: string) => ({ brokers, topic });
const event = (id: string) => ({ key: 'k', value: JSON.stringify({ id }) });

test('from the beginning, with --count: partition, offset, key, value of each event', async () => {
  const topic = await newTopic({ brokers });
  await producer.send({ topic, messages: [{ partition: 1, key: 'k', value: '{"id":"a"}' }] });
  await producer.send({ topic, messages: [{ partition: 1, key: null, value: 'bell\u0007' }] });
  const listener = new Listener(place(topic), ['--from', 'beginning', '--count', '2']);
  assert.equal(await listener.exit, 0);
  assert.deepEqual(listener.lines, ['1\t0\tk\t{"id":"a"}', '1\t1\t-\tbell\\x07']);
});

test('--stream: the topic of the stream, as the gateway writes to it', async () => {
  const topic = await newTopic({ brokers });
  await producer.send({ topic, messages: [{ partition: 1, key: 'de|7', value: '{"id":"a"}' }] });
  const folder = mkdtempSync(join(tmpdir(), 'forebay-listen-'));
  const file = join(folder, 'streams.yaml');
  const orders = `orders: { topic: ${topic}, key: { fields: [shop, id] } }`;
  writeFileSync(file, `version: 1\nstreams:\n  ${orders}\n  logs: { topic: other }\n`);
  const options = ['--from', 'beginning', '--count', '1'];
  const env = { FOREBAY_STREAMS_FILE: file, KAFKA_TOPIC: '' };
  const listener = new Listener(place(topic), [...options, '--stream', 'orders'], { env });
  const undecided = new Listener(place(topic), options, { env });
  assert.deepEqual([await listener.exit, await undecided.exit], [0, 2], listener.err);
  rmSync(folder, { recursive: true });
  assert.deepEqual(listener.lines, ['1\t0\tde|7\t{"id":"a"}']);
  assert.match(listener.err, /^forebay: stream orders: record key shop\|id\nforebay: reading /);
  assert.match(undecided.err, /: choose a stream with --stream \(orders, logs\)\n$/);
});

test('from the end: earlier events are not printed; Ctrl-C ends it cleanly', async () => {
  const topic = await newTopic({ brokers });
  await producer.send({ topic, messages: [event('old')] });
  const listener = new Listener(place(topic), ['--json']);
  await listener.says(/reading/);
  await producer.send({ topic, messages: [event('new')] });
  await listener.prints(1);
  listener.child.kill('SIGINT');
  assert.equal(await listener.exit, 0);
  const [record, ...more] = listener.lines.map((line) => JSON.parse(line));
  assert.deepEqual(more, []);
  assert.match(listener.err, /\nforebay: 1 event in \d+\.\d s\n$/, 'it sums up');
  assert.equal(record.value, '{"id":"new"}');
  assert.equal(record.key, 'k');
  assert(Math.abs(record.timestamp - Date.now()) < 60_000);
});

test('SIGTERM while it waits for Kafka ends it cleanly; it has printed what it waits for', async () => {
  const [port] = await freePorts(1);
  const listener = new Listener({ brokers: [`127.0.0.1:${port}`], topic: 'any' }, []);
  await listener.says(/Kafka cannot be reached .*waiting/);
  listener.child.kill('SIGTERM');
  assert.equal(await listener.exit, 0);
});

test('it waits for a missing topic, and misses none of its events', async () => {
  const topic = uniqueTopic('listen');
  const listener = new Listener(place(topic), ['--count', '1']);
  await listener.says(/does not exist yet; waiting/);
  const admin = testKafka(brokers).admin();
  await admin.connect();
  assert(!(await admin.listTopics()).includes(topic), 'it must not create the topic');
  await admin.disconnect();
  await newTopic({ brokers, topic });
  await producer.send({ topic, messages: [event('first')] });
  assert.equal(await listener.exit, 0);
  assert.match(listener.out, /first/);
});

test('--verify finds repeats, prints a summary and exits with 1', async () => {
  const topic = await newTopic({ brokers });
  await producer.send({ topic, messages: ['a', 'b', 'a', 'c'].map(event) });
  const args = ['--from', 'beginning', '--verify', '--count'];
  const all = new Listener(place(topic), [...args, '4']);
  assert.equal(await all.exit, 1);
  assert.equal(all.lines.length, 4);
  const first = new Map<string, string>();
  const places = all.lines.map((line) => line.split('\t'));
  const [again] = places.filter(([partition, offset, , value]) => {
    if (first.has(value!)) return true;
    first.set(value!, `${partition} ${offset}`);
    return false;
  });
  const [partition, offset] = again!;
  assert.match(all.err, new RegExp(`repeat of "a" at partition ${partition} offset ${offset}\n`));
  assert.match(all.err, /4 events, 3 distinct ids, 1 repeat, 0 without id; first repeats: "a"/);
  const clean = new Listener(place(topic), [...args, '2']);
  assert.equal(await clean.exit, 0);
  assert.match(clean.err, /2 events, 2 distinct ids, 0 repeats/);
});

test('--verify prints a summary after Ctrl-C, too', async () => {
  const topic = await newTopic({ brokers });
  const values = ['{"id":1}', '{"id":2}', '{"id":1}', '{"no":"id"}', 'no json'];
  await producer.send({ topic, messages: values.map((value) => ({ key: 'k', value })) });
  const listener = new Listener(place(topic), ['--from', 'beginning', '--verify']);
  await listener.prints(values.length);
  listener.child.kill('SIGINT');
  assert.equal(await listener.exit, 1);
  assert.match(
    listener.err,
    /\nforebay: 5 events, 2 distinct ids, 1 repeat, 2 without id; .*: 1\n$/,
  );
});

test('a closed output ends it with 0', async () => {
  const topic = await newTopic({ brokers });
  const messages = Array.from({ length: 5_000 }, (_, i) => event(`e${i}`));
  await producer.send({ topic, messages });
  const shell = '"$0" "$@" | head -1; exit "$' + '{PIPESTATUS[0]}"';
  const listener = new Listener(place(topic), ['--from', 'beginning'], { shell });
  assert.equal(await listener.exit, 0, listener.err);
  assert.equal(listener.lines.length, 1);
  assert.doesNotMatch(listener.err, /EPIPE|Error/);
});

test('--help, and invalid options: one line, exit code 2', async () => {
  const help = new Listener(place('any'), ['--help']);
  assert.equal(await help.exit, 0);
  assert.match(help.out, /^Usage: node dist\/main\.js listen /);
  const wrong = new Listener(place('any'), ['--from', 'middle']);
  assert.equal(await wrong.exit, 2);
  assert.match(wrong.err, /^forebay: listen: --from must be beginning, end, [^\n]*\n$/);
});
