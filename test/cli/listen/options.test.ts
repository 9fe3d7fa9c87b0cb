/** Each option of `listen` against a real Kafka. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import zlib from 'node:zlib';
import type { Message, Producer } from 'kafkajs';
import { CODECS } from '../../../src/kafka/compression/codecs.ts';
import { sharedKafka } from '../../../testing/kafka.ts';
import { missingTool } from '../../../testing/tools.ts';
import { until } from '../../../testing/wait.ts';
import { killListeners, Listener, newTopic, producerOf, type Surroundings } from './listener.ts';

const MINUTE_MS = 60_000;
const BEGINNING = ['--from', 'beginning'];
const EVIL = 'no json \u001b[2J\u009b31m';
const ANN = '{"id":1,"user":{"name":"Ann"},"ok":true}';
const BOB = '{"id":2,"user":{"name":"Bob"},"ok":true}';
const ANN_TOO = '{"id":3,"user":{"name":"Ann"},"ok":false}';

let brokers: readonly string[];
let producer: Producer;
/** Partition 0 has an event of an hour ago and one of ten minutes ago, 1 one of an hour ago, and 2
 * broken records. */
let filled: string;

before(async () => {
  ({ brokers } = await sharedKafka());
  producer = producerOf(brokers);
  await producer.connect();
  filled = await newTopic({ brokers, numPartitions: 3 });
  const ago = (minutes: number) => String(Date.now() - minutes * MINUTE_MS);
  await send(filled, [
    { partition: 0, key: 'ann', value: ANN, timestamp: ago(60) },
    { partition: 0, key: 'ann', value: ANN_TOO, timestamp: ago(10) },
    { partition: 1, key: 'bob', value: BOB, timestamp: ago(60) },
    { partition: 2, key: 'x', value: EVIL, timestamp: ago(60) },
    { partition: 2, key: Buffer.from([0xfe]), value: Buffer.from([0xff, 0x41]), timestamp: ago(9) },
    { partition: 2, key: 'x', value: null, timestamp: ago(8) },
  ]);
});
after(async () => {
  killListeners();
  await producer.disconnect();
});

const send = (topic: string, messages: Message[]) => producer.send({ topic, messages });

const listen = (topic: string, args: string[], surroundings?: Surroundings) =>
  new Listener({ brokers, topic }, args, surroundings);

/** Values that a listener has printed, sorted: partitions arrive in any order. */
function values(listener: Listener): string[] {
  return listener.lines.map((line) => line.split('\t')[3] ?? '').sort();
}

test('--from a time: each partition from its first record of that time', async () => {
  const since = new Date(Date.now() - 15 * MINUTE_MS).toISOString();
  const ago = listen(filled, ['--from', '-15m', '--count', '3']);
  const at = listen(filled, ['--from', since, '--count', '3']);
  assert.deepEqual([await ago.exit, await at.exit], [0, 0], ago.err + at.err);
  assert.deepEqual(values(ago), ['-', '\\xffA', ANN_TOO].sort());
  assert.deepEqual(values(at), values(ago));
  assert.ok(
    at.err.includes(`reading ${filled} at ${brokers.join(',')}, 3 partitions, from ${since}\n`),
    at.err,
  );
});

test('--from a time after all records: it says so, and waits for the next', async () => {
  const topic = await newTopic({ brokers });
  await send(topic, [{ value: 'old', timestamp: String(Date.now() - 60 * MINUTE_MS) }]);
  const listener = listen(topic, ['--from', '-15m', '--count', '1']);
  await listener.says(/no events since then; waiting for events/);
  await send(topic, [{ value: 'new' }]);
  assert.equal(await listener.exit, 0);
  assert.deepEqual(values(listener), ['new']);
});

test('an empty topic: it says so, and waits for the first event', async () => {
  const topic = await newTopic({ brokers });
  const listener = listen(topic, [...BEGINNING, '--count', '1']);
  await listener.says(new RegExp(`${topic} is empty; waiting for events$`));
  await send(topic, [{ value: 'first' }]);
  assert.equal(await listener.exit, 0);
  assert.deepEqual(values(listener), ['first']);
});

test('--partition: the others are not read; a nonexistent one is an invalid option', async () => {
  const topic = await newTopic({ brokers, numPartitions: 3 });
  const two = [1, 2].map((partition) => ({ partition, value: `p${partition}` }));
  await send(topic, [{ partition: 0, value: 'p0' }, ...two]);
  const listener = listen(topic, [...BEGINNING, '--partition', '1,2', '--count', '4']);
  await listener.prints(2);
  await send(topic, [{ partition: 0, value: 'p0' }, ...two]);
  const wrong = listen(topic, ['--partition', '3']);
  assert.deepEqual([await listener.exit, await wrong.exit], [0, 2]);
  assert.deepEqual(values(listener), ['p1', 'p1', 'p2', 'p2']);
  assert.match(wrong.err, /^forebay: listen: partition 3 does not exist: the topic has 0 to 2\n$/);
});

test('--filter: matching events are shown and counted, nothing else', async () => {
  const ann = listen(filled, [...BEGINNING, '--filter', 'user.name=Ann', '--count', '2']);
  const both = ['--filter', 'ok=true', '--filter', '@key=bob'];
  const bob = listen(filled, [...BEGINNING, ...both, '--count', '1', '--json']);
  assert.deepEqual([await ann.exit, await bob.exit], [0, 0]);
  assert.deepEqual(values(ann), [ANN, ANN_TOO]);
  assert.match(ann.err, /\nforebay: 2 of \d events in /);
  assert.deepEqual(
    bob.lines.map((line) => JSON.parse(line).value),
    [BOB],
  );
});

test('--rate: no events, but rates, total and by partition', async () => {
  const [plain, json] = [
    listen(filled, [...BEGINNING, '--rate']),
    listen(filled, [...BEGINNING, '--rate', '--json', '--count', '6']),
  ];
  const rated = [0, 1, 2].map((partition) => new RegExp(`[\\t ]${partition}:`));
  await until(() => rated.every((pattern) => pattern.test(plain.out)), { what: () => plain.err });
  plain.child.kill('SIGINT');
  assert.deepEqual([await plain.exit, await json.exit], [0, 0]);
  for (const line of plain.lines) assert.match(line, /^\d{4}-\S+Z\t[\d.]+\/s\t(\d:[\d.]+ ?)*$/);
  const keys = json.lines.flatMap((line) => Object.keys(JSON.parse(line).partitions));
  assert.deepEqual([...new Set(keys)].sort(), ['0', '1', '2']);
  assert.match(plain.err, /\nforebay: 6 events in /);
});

test('--verify --sequence-field: missing and repeated numbers are reported; exit code 1', async () => {
  const topic = await newTopic({ brokers });
  const event = (key: string, seq: number) => ({ key, value: JSON.stringify({ seq }) });
  await send(
    topic,
    [1, 2, 5, 5].map((seq) => event('a', seq)),
  );
  await send(
    topic,
    [7, 9, 8].map((seq) => event('b', seq)),
  );
  const args = [...BEGINNING, '--verify', '--sequence-field', 'seq', '--count'];
  const bad = listen(topic, [...args, '7']);
  const late = listen(topic, [...args, '3', '--filter', '@key=b']);
  assert.deepEqual([await bad.exit, await late.exit], [1, 0]);
  assert.match(bad.err, /: 3 to 4 are missing before 5 of "a" at partition \d offset \d\n/);
  assert.match(bad.err, /: repeat of 5 of "a" at partition \d offset \d\n/);
  assert.match(bad.err, /sequences of 2 clients: 2 missing, 1 repeat, 1 late, 0 not tracked\n$/);
  assert.match(late.err, /sequences of 1 client: 0 missing, 0 repeats, 1 late, 0 not tracked\n$/);
});

test('broken records are escaped in a pipe, and colored with FORCE_COLOR', async () => {
  const args = [...BEGINNING, '--partition', '2', '--count', '3'];
  const pipe = listen(filled, args);
  const forced = listen(filled, args, { env: { FORCE_COLOR: '1' } });
  assert.deepEqual([await pipe.exit, await forced.exit], [0, 0]);
  const escaped = 'no json \\x1b[2J\\x9b31m';
  const lines = [`2\t0\tx\t${escaped}`, '2\t1\t\\xfe\t\\xffA', '2\t2\tx\t-'];
  assert.deepEqual(pipe.lines, lines);
  assert.ok(forced.lines[0]?.includes(`\u001b[31m${escaped}\u001b[39m`), forced.out);
  assert.equal(stripVTControlCharacters(forced.out), pipe.out);
});

test('on a terminal it is colored, unless NO_COLOR is set', {
  skip: missingTool('script'),
}, async () => {
  // The quotes are for the shell that script starts.
  const shell = `script -qec "$(printf '%q ' "$0" "$@")" /dev/null </dev/null`;
  const args = [...BEGINNING, '--partition', '0', '--count', '2'];
  const colored = listen(filled, args, { shell, env: { TERM: 'xterm' } });
  const plain = listen(filled, args, { shell, env: { TERM: 'xterm', NO_COLOR: '1' } });
  assert.deepEqual([await colored.exit, await plain.exit], [0, 0]);
  assert.ok(colored.out.includes('\u001b[36mann\u001b[39m'), colored.out);
  assert.ok(plain.out.includes(`0\t0\tann\t${ANN}\r\n`), plain.out);
  assert.equal(plain.out.includes('\u001b'), false, plain.out);
});

test('topics of every codec are read; one that this Node.js lacks is reported, exit code 1', async () => {
  const has = (codec: string) => codec !== 'zstd' || 'zstdCompressSync' in zlib;
  await Promise.all(
    CODECS.map(async (compression) => {
      const topic = await newTopic({ brokers, compression });
      const text = 'a long text '.repeat(100);
      await send(topic, [{ value: `${text}1` }, { value: `${text}2` }]);
      const listener = listen(topic, [...BEGINNING, '--count', '2']);
      assert.equal(await listener.exit, has(compression) ? 0 : 1, listener.err);
      if (has(compression)) assert.deepEqual(values(listener), [`${text}1`, `${text}2`]);
      else assert.match(listener.err, /: cannot decompress topic \S+: zstd needs Node[^\n]*\n$/);
    }),
  );
});
