/**
 * Headers, times, keys and values of compressed and uncompressed batches, as kafkajs, librdkafka
 * (kcat) and Kafka's Java consumer read them.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import { type KafkaCluster, startCluster } from '../../deploy/kafka/cluster.ts';
import { classPath, jarsFolder } from '../../deploy/kafka/jars.ts';
import { findJava } from '../../deploy/kafka/tools.ts';
import { CODECS, type CodecName } from '../../src/kafka/compression/codecs.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { uniqueTopic } from '../../testing/kafka.ts';
import { metricsAtRest } from '../../testing/stage.ts';
import { missingTool } from '../../testing/tools.ts';
import { setTopicConfig } from '../../testing/topic.ts';
import { type ReadRecord, readWithHeaders } from '../support/headers.ts';

const run = promisify(execFile);
const OUTPUT = { maxBuffer: 2 ** 28 };
const HAS_ZSTD = 'zstdCompressSync' in zlib;
const FRAMES = 20;
const EVENTS = 50;
const HOUR_MS = 3_600_000;
const READER = resolve('test/support/ReadTopic.java');
/** Reason why kcat does not read the topics; false = it does. */
const withoutKcat = missingTool('kcat');
const AGENT = 'agent ü/1';
const NAMES = 'received, event-id, resent, traceparent, request-id, stream, transport, user-agent';

const folder = mkdtempSync(join(tmpdir(), 'forebay-readers-'));
let cluster: KafkaCluster;
before(async () => {
  cluster = await startCluster();
});
after(async () => {
  await cluster?.close();
  rmSync(folder, { recursive: true });
});

/** A record in a form that all readers can produce. */
type Fields = readonly [
  partition: number,
  offset: number,
  timestamp: number,
  key: string | null,
  value: string | null,
  ...headers: string[],
];

const text = (bytes: Buffer | null) => (bytes === null ? null : bytes.toString('hex'));
const sorted = (records: readonly Fields[]) =>
  [...records].sort(([p, at], [otherP, otherAt]) => p - otherP || at - otherAt);

const fieldsOf = ({ partition, offset, timestamp, key, value, headers }: ReadRecord): Fields => [
  partition,
  offset,
  timestamp,
  text(key),
  text(value),
  ...headers.flat(),
];

async function byKcat(topic: string): Promise<Fields[]> {
  const args = ['-C', '-e', '-q', '-b', cluster.brokers.join(','), '-t', topic, '-o', 'beginning'];
  // Lengths precede key and value, which may contain anything; %h is text.
  const format = '%p %o %T %K %S\\n%k%s\\n%h\\n';
  const { stdout } = await run('kcat', [...args, '-X', 'check.crcs=true', '-f', format], {
    ...OUTPUT,
    encoding: 'buffer',
  });
  const records: Fields[] = [];
  let at = 0;
  const line = () => {
    const end = stdout.indexOf('\n', at);
    const found = stdout.toString('utf8', at, end);
    at = end + 1;
    return found;
  };
  while (at < stdout.length) {
    const [p, offset, time, keyBytes, valueBytes] = line().split(' ').map(Number);
    const take = (bytes: number) => {
      const start = at;
      at += Math.max(0, bytes);
      return stdout.toString('hex', start, at);
    };
    const key = keyBytes! < 0 ? null : take(keyBytes!);
    const value = take(valueBytes!);
    at++;
    // Of these headers, no value contains a comma, or `=` in its name.
    const headers = line().split(',').filter(Boolean);
    const pairs = headers.flatMap((header) => {
      const separator = header.indexOf('=');
      return [header.slice(0, separator), header.slice(separator + 1)];
    });
    records.push([p!, offset!, time!, key, value, ...pairs]);
  }
  return records;
}

async function byJava(topic: string): Promise<Fields[]> {
  const args = ['-cp', classPath(jarsFolder()), READER, cluster.brokers.join(','), topic];
  const { stdout } = await run(findJava()!.command, args, OUTPUT);
  const bytes = (field: string) => (field === '-' ? null : Buffer.from(field.slice(1), 'base64'));
  return [...stdout.matchAll(/^record (.*)$/gm)].map(([, line = '']) => {
    const [p, offset, time, key = '-', value = '-', ...headers] = line.split(' ');
    const pairs = headers.map((field) => String(bytes(field)));
    return [
      Number(p),
      Number(offset),
      Number(time),
      text(bytes(key)),
      text(bytes(value)),
      ...pairs,
    ];
  });
}

/** Gateway with the streams `events` (JSON) and `sent` (as sent). @param topic of both, with suffixes */
async function start(codec: CodecName | 'none', topic: string): Promise<Gateway> {
  const path = join(folder, `${codec}.yaml`);
  const stream = (name: string, rest: string) =>
    `  ${name}: { topic: ${topic}.${name}, create: { partitions: 3, replication: 1 }, ${rest} }\n`;
  const common = `headers: [${NAMES}], key: { field: user }, time: { field: at, pastMs: 86400000 }`;
  writeFileSync(
    path,
    `version: 1\nstreams:\n${stream('events', common)}${stream('sent', `${common}, value: as-sent`)}${stream('bounded', common)}`,
  );
  const env = { FOREBAY_STREAMS_FILE: path, KAFKA_COMPRESSION: codec };
  return startGateway({ brokers: cluster.brokers, topic: uniqueTopic(), env });
}

interface Sent {
  readonly id: string;
  readonly at: number;
  readonly user?: string;
}

/** Events with and without keys, their times in no order. */
function eventsOf(frame: number, now: number): Sent[] {
  return Array.from({ length: EVENTS }, (_, index) => ({
    id: `${frame}-${index} é`,
    at: now - ((index * 7_919) % 3_000_000),
    ...(index % 3 > 0 && { user: `user ${index % 5}` }),
    msg: `page ${index} was viewed, then the cart `.repeat(4),
  }));
}

async function sendAll(gateway: Gateway, stream: string, now: number): Promise<Sent[]> {
  const client = new FrameClient();
  await client.connect(`${gateway.wsUrl}/${stream}?resent=${EVENTS}`, {
    // The WebSocket client writes headers as Latin-1.
    'User-Agent': Buffer.from(AGENT).toString('latin1'),
  });
  const all: Sent[] = [];
  try {
    for (let frame = 0; frame < FRAMES; frame++) {
      const events = eventsOf(frame, now);
      all.push(...events);
      const number =
        stream === 'sent'
          ? client.sendBinary(Buffer.from(encode(events)))
          : await client.sendWithin(JSON.stringify(events));
      assert.deepEqual(await client.fate(number), []);
    }
  } finally {
    await client.close();
  }
  return all;
}

for (const codec of ['none', ...CODECS] as const) {
  const skip = codec === 'zstd' && !HAS_ZSTD && 'needs Node.js 22.15';
  test(`${codec}: all readers agree on each record`, { skip }, async (t) => {
    const topic = uniqueTopic();
    const gateway = await start(codec, topic);
    t.after(() => gateway.stop());
    const now = Date.now();
    for (const stream of ['events', 'sent']) {
      const events = new Map(
        (await sendAll(gateway, stream, now)).map((event) => [event.id, event]),
      );
      const place = { brokers: cluster.brokers, topic: `${topic}.${stream}` };
      const records = await readWithHeaders(place);
      assert.equal(records.length, events.size);
      for (const { key, value, timestamp, headers } of records) {
        const of = new Map(headers);
        const event = events.get(of.get('fb-id') ?? '')!;
        const sent =
          stream === 'sent' ? Buffer.from(encode(event)) : Buffer.from(JSON.stringify(event));
        assert.deepEqual([value, timestamp, key?.toString()], [sent, event.at, event.user]);
        assert.equal(of.get('fb-resent'), event.id.startsWith('0-') ? '1' : undefined);
        assert.equal(of.get('fb-user-agent'), AGENT);
        assert.equal(of.get('content-type'), stream === 'sent' ? 'application/msgpack' : undefined);
      }
      const expected = sorted(records.map(fieldsOf));
      if (withoutKcat) t.diagnostic(`not read by kcat: ${withoutKcat}`);
      else assert.deepEqual(sorted(await byKcat(place.topic)), expected, 'kcat');
      assert.deepEqual(sorted(await byJava(place.topic)), expected, 'Java');
    }
    const metrics = await metricsAtRest(gateway);
    const sent = metrics.value('forebay_batch_bytes_sum');
    const ratio = metrics.value('forebay_batch_uncompressed_bytes_total') / sent;
    assert(codec === 'none' ? ratio === 1 : ratio > 1.5, `ratio ${ratio}`);
  });

  test(`${codec}: only events whose time Kafka rejects are rejected`, { skip }, async (t) => {
    const topic = uniqueTopic();
    const gateway = await start(codec, topic);
    t.after(() => gateway.stop());
    // The gateway has read the topic's configuration before.
    const place = { brokers: cluster.brokers, topic: `${topic}.bounded` };
    await setTopicConfig(place, 'message.timestamp.before.max.ms', String(HOUR_MS));
    const now = Date.now();
    const events = eventsOf(0, now).map((event, index) =>
      index % 10 === 3 ? { ...event, at: now - 2 * HOUR_MS } : event,
    );
    const client = await FrameClient.open(`${gateway.wsUrl}/bounded`);
    const errors = await client.exchange(JSON.stringify(events));
    await client.close();
    const rejected = events.flatMap(({ at }, index) => (at < now - HOUR_MS ? [index] : []));
    assert.deepEqual(
      errors.map(({ code, events: of }) => [code, of]),
      [['rejected_by_kafka', rejected.map((index) => [index, index])]],
    );
    const records = await readWithHeaders(place);
    assert.deepEqual(
      new Map(records.map(({ headers, timestamp }) => [new Map(headers).get('fb-id'), timestamp])),
      new Map(events.filter((_, index) => !rejected.includes(index)).map(({ id, at }) => [id, at])),
    );
  });
}
