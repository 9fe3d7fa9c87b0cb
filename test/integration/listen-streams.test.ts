/** `listen` reads what the gateway has stored: headers, MessagePack as sent, marked repeats. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { killListeners, Listener } from '../cli/listen/listener.ts';
import { postTo } from '../support/post-to.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-listen-'));
const file = join(folder, 'streams.yaml');
const topic = uniqueTopic('listen');
const STREAMS = `
version: 1
streams:
  clicks:
    topic: ${topic}
    create: { partitions: 2, replication: 1 }
    key: { field: user }
    value: as-sent
    headers: [received, event-id, resent, stream, transport]
    idField: meta.id
`;
const JSON_EVENT = '{ "user": "ann", "meta": {"id": "a"}, "seq": 1 }';
const PACKED = { user: 'ann', meta: { id: 'b' }, seq: 2, text: '\u009b[31m' };

let gateway: Gateway;
let brokers: readonly string[];

before(async () => {
  writeFileSync(file, STREAMS);
  ({ brokers } = await sharedKafka());
  const env = { FOREBAY_STREAMS_FILE: file, KAFKA_LINGER_MS: '1' };
  gateway = await startGateway({ brokers, topic: uniqueTopic(), env });
  const json = { 'content-type': 'application/json' };
  const msgpack = { 'content-type': 'application/msgpack' };
  const resent = { 'forebay-resent': '1' };
  const bodies = [
    [JSON_EVENT, json],
    [encode(PACKED), { ...msgpack, ...resent }],
    [encode([PACKED]), msgpack],
    [JSON_EVENT, { ...json, ...resent }],
  ] as const;
  for (const [body, headers] of bodies) {
    const { accepted } = await postTo(`${gateway.httpUrl}/events/clicks`, body, headers);
    assert.equal(accepted, 1);
  }
});
after(async () => {
  killListeners();
  await gateway?.stop();
  rmSync(folder, { recursive: true });
});

const listen = (...args: string[]) =>
  new Listener({ brokers, topic: '' }, ['--stream', 'clicks', '--from', 'beginning', ...args], {
    env: { FOREBAY_STREAMS_FILE: file },
  });

test('headers and values as the gateway has stored them, JSON and MessagePack', async () => {
  const listener = listen('--headers', '--json', '--count', '4');
  assert.equal(await listener.exit, 0, listener.err);
  const records = listener.lines.map((line) => JSON.parse(line));
  const common = { 'fb-stream': 'clicks', 'fb-transport': 'http' };
  const [json, msgpack] = ['application/json', 'application/msgpack'];
  const expected = [
    { 'fb-id': 'a', ...common, 'content-type': json },
    { 'fb-id': 'b', 'fb-resent': '1', ...common, 'content-type': msgpack },
    { 'fb-id': 'b', ...common, 'content-type': msgpack },
    { 'fb-id': 'a', 'fb-resent': '1', ...common, 'content-type': json },
  ];
  const packed = JSON.stringify(PACKED);
  const values = [JSON_EVENT, packed, packed, JSON_EVENT];
  for (const [index, { key, timestamp, headers, value }] of records.entries()) {
    const { 'fb-received': received, ...others } = headers;
    assert.equal(Number(received), timestamp);
    assert.deepEqual([key, others, value], ['ann', expected[index], values[index]]);
  }
});

test('marked repeats, in the id field of the stream', async () => {
  const clean = listen('--verify', '--sequence-field', 'seq', '--count', '4');
  assert.equal(await clean.exit, 0, clean.err);
  assert.match(
    clean.err,
    /: 4 events, 2 distinct ids, 0 repeats, 2 marked repeats, 0 without meta.id\n/,
  );
  const marked = listen('--header', 'fb-resent=1', '--filter', 'meta.id=b', '--count', '1');
  assert.equal(await marked.exit, 0, marked.err);
  assert.equal(marked.lines.length, 1);
  assert.match(marked.out, /\tann\t\{"user":"ann",.*"text":"\\x9b\[31m"\}\n$/);
});
