/** Headers, marked repeats and MessagePack in the records of a real Kafka. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { CompressionTypes, type Message, type Producer } from 'kafkajs';
import { sharedKafka } from '../../../testing/kafka.ts';
import { killListeners, Listener, newTopic, producerOf } from './listener.ts';

const BEGINNING = ['--from', 'beginning'];
const RESENT = { 'fb-resent': '1' };
const MSGPACK = { 'content-type': 'application/msgpack' };

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

const listen = (topic: string, args: string[]) =>
  new Listener({ brokers, topic }, [...BEGINNING, ...args]);

const packed = (value: unknown) => Buffer.from(encode(value));

/** Records with and without headers, JSON and MessagePack, in one topic. */
const MIXED: readonly Message[] = [
  {
    value: '{"id":"a"}',
    headers: {
      'fb-received': '1700000000000',
      'fb-stream': 'clicks',
      'fb-user-agent': 'a b\u009b',
    },
  },
  { value: '{"id":"b"}', headers: { ...RESENT, twice: ['1', '2'], bytes: Buffer.from([0xff]) } },
  { value: '{"id":"c"}' },
  { value: packed({ id: 'd', user: { plan: 'paid' } }), headers: { ...MSGPACK, ...RESENT } },
  { value: Buffer.from([0x81, 0xa1, 0x61, 0xc7, 0xff]), headers: MSGPACK },
];

for (const [name, compression] of [
  ['uncompressed', CompressionTypes.None],
  ['compressed', CompressionTypes.GZIP],
] as const) {
  test(`${name} batches: --headers shows, --header and --without-header select`, async () => {
    const topic = await newTopic({ brokers, numPartitions: 1 });
    await producer.send({ topic, compression, messages: [...MIXED] });
    const all = listen(topic, ['--headers', '--count', '5']);
    const json = listen(topic, ['--headers', '--header', 'twice=2', '--json', '--count', '1']);
    const both = ['--header', 'fb-resent=1', '--header', 'content-type=application/msgpack'];
    const packedOnes = listen(topic, [...both, '--filter', 'user.plan=paid', '--count', '1']);
    const unmarked = listen(topic, ['--without-header', 'fb-resent', '--count', '3', '--json']);
    const exits = [all, json, packedOnes, unmarked].map(({ exit }) => exit);
    assert.deepEqual(await Promise.all(exits), [0, 0, 0, 0]);
    assert.deepEqual(all.lines, [
      '0\t0\t-\tfb-received=1700000000000 fb-stream=clicks fb-user-agent="a b\\u009b"\t{"id":"a"}',
      '0\t1\t-\tfb-resent=1 twice=1 twice=2 bytes="\\xff"\t{"id":"b"}',
      '0\t2\t-\t-\t{"id":"c"}',
      '0\t3\t-\tcontent-type=application/msgpack fb-resent=1\t{"id":"d","user":{"plan":"paid"}}',
      '0\t4\t-\tcontent-type=application/msgpack\t\\x81\\xa1a\\xc7\\xff ' +
        '(invalid MessagePack: extension types are not supported)',
    ]);
    const { headers, headersBase64, value } = JSON.parse(json.lines[0]!);
    assert.deepEqual(headers, { 'fb-resent': '1', twice: ['1', '2'] });
    assert.deepEqual([headersBase64, value], [{ bytes: '/w==' }, '{"id":"b"}']);
    assert.deepEqual(packedOnes.lines, ['0\t3\t-\t{"id":"d","user":{"plan":"paid"}}']);
    assert.match(packedOnes.err, /\nforebay: 1 of \d events in /);
    const shown = unmarked.lines.map((line) => JSON.parse(line));
    assert.deepEqual(
      shown.map(({ value: text, valueBase64 }) => text ?? valueBase64),
      ['{"id":"a"}', '{"id":"c"}', 'gaFhx/8='],
    );
    assert(!unmarked.out.includes('headers'), unmarked.out);
  });
}

test('--verify: marked repeats are counted, a second unmarked copy is reported', async () => {
  const topic = await newTopic({ brokers, numPartitions: 3 });
  const copy = (partition: number, id: string, headers = {}) => ({
    partition,
    value: partition === 2 ? packed({ id }) : JSON.stringify({ id }),
    headers: partition === 2 ? { ...headers, ...MSGPACK } : headers,
  });
  // Read partition by partition, in any order: each original may come after its repeats.
  const fine = [copy(0, 'a', RESENT), copy(1, 'a'), copy(2, 'a', RESENT), copy(2, 'b')];
  await producer.send({ topic, messages: [...fine, copy(0, 'b', RESENT), copy(1, 'c')] });
  const args = ['--verify', '--count'];
  const clean = listen(topic, [...args, '6']);
  assert.equal(await clean.exit, 0, clean.err);
  assert.doesNotMatch(clean.err, /repeat of/);
  assert.match(
    clean.err,
    /\nforebay: 6 events, 3 distinct ids, 0 repeats, 3 marked repeats, 0 without id\n$/,
  );
  await producer.send({ topic, messages: [copy(2, 'c')] });
  const bad = listen(topic, [...args, '7']);
  assert.equal(await bad.exit, 1);
  assert.match(bad.err, /: repeat of "c" at partition [12] offset \d\n/);
  assert.match(
    bad.err,
    /: 7 events, 3 distinct ids, 1 repeat, 3 marked repeats, 0 without id; first repeats: "c"\n$/,
  );
});

test('--verify --sequence-field: numbers of marked repeats are no error', async () => {
  const topic = await newTopic({ brokers, numPartitions: 1 });
  const copy = (seq: number, headers = {}) => ({
    key: 'ann',
    value: packed({ id: `e${seq}`, seq }),
    headers: { ...headers, ...MSGPACK },
  });
  const messages = [copy(1), copy(2, RESENT), copy(2), copy(1, RESENT), copy(3)];
  await producer.send({ topic, messages });
  const args = ['--verify', '--sequence-field', 'seq', '--count', '5'];
  const listener = listen(topic, args);
  assert.equal(await listener.exit, 0, listener.err);
  assert.match(
    listener.err,
    /: sequences of 1 client: 0 missing, 0 repeats, 2 marked repeats, 0 late, 0 not tracked\n$/,
  );
});
