/** Dry runs decide as the request itself, for each kind of body, and store nothing. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { KeyFile } from '../../testing/key-file.ts';
import { metricsAtRest } from '../../testing/stage.ts';
import { readTopic } from '../../testing/topic.ts';
import { until } from '../../testing/wait.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-dry-run-'));
const keys = new KeyFile();
const prefix = uniqueTopic();
const topicOf = (stream: string) => `${prefix}.${stream}`;
const declared = (name: string, rest: string) =>
  `  ${name}: { topic: ${topicOf(name)}, create: { partitions: 4, replication: 1 }, ${rest} }\n`;
const CLICK = { required: ['n'], properties: { n: { type: 'integer' } } };
const STREAMS = `version: 1
routing: { field: type }
defaults: { deadLetter: rejected }
streams:
${declared(
  'clicks',
  'match: [click], schema: { file: click.json, candidate: candidate.json }, key: { field: user }, ' +
    'headers: [received, stream, identity, user-agent, event-id], time: { field: at, pastMs: 86400000 }',
)}
${declared('packed', 'match: [packed], value: as-sent, key: { fields: [a, b.c] }')}
${declared('warned', 'match: [warned], schema: { file: click.json, mode: warn }, key: none')}
${declared('closed', 'match: [closed], access: keyed')}
${declared('paged', "match: [paged], origins: ['https://shop.example']")}
${declared('rejected', 'internal: true')}`;
const STORED = ['clicks', 'packed', 'warned', 'closed', 'paged'];

let gateway: Gateway;
let brokers: readonly string[];

before(async () => {
  const path = join(folder, 'streams.yaml');
  writeFileSync(path, STREAMS);
  writeFileSync(join(folder, 'click.json'), JSON.stringify(CLICK));
  writeFileSync(join(folder, 'candidate.json'), JSON.stringify({ required: ['new'] }));
  const entry = (name: string, more: object) => ({ name, sha256: keys.hash(name), ...more });
  keys.writeText(
    JSON.stringify({
      keys: [
        entry('shop', { streams: ['clicks', 'packed', 'warned', 'closed'] }),
        entry('slow', { eventsPerSecond: 1, burst: 2 }),
      ],
    }),
  );
  ({ brokers } = await sharedKafka());
  const env = {
    FOREBAY_STREAMS_FILE: path,
    FOREBAY_KEYS_FILE: keys.path,
    FOREBAY_WORKERS: '1',
    FOREBAY_MAX_EVENT_BYTES: '4096',
  };
  gateway = await startGateway({ brokers, topic: uniqueTopic(), env });
});
after(async () => {
  await gateway?.stop();
  keys.remove();
  rmSync(folder, { recursive: true });
});

interface Shown {
  readonly timestamp?: number;
  readonly headers?: Record<string, string>;
  readonly partition?: number | null;
  readonly key?: string | null;
}
interface Answer {
  readonly accepted?: number;
  readonly errors?: { retryAfterMs?: number }[];
  readonly records?: Shown[];
}
interface Body {
  readonly path?: string;
  readonly type?: string;
  readonly bytes: string | Uint8Array;
  readonly headers?: Record<string, string>;
}

async function post({ path = '', type = 'application/json', bytes, headers }: Body, query: string) {
  const response = await fetch(`${gateway.httpUrl}/events${path}?${query}`, {
    method: 'POST',
    headers: { 'content-type': type, ...headers },
    body: bytes as BodyInit,
  });
  return { status: response.status, body: (await response.json()) as Answer };
}

/** A record without what depends on the moment, or is chosen when the record is sent. */
function lasting({ timestamp = 0, headers, ...record }: Shown): object {
  const { 'fb-received': received, ...rest } = headers ?? {};
  const isEventTime = received !== undefined && Number(received) !== timestamp;
  const partition = record.key === null ? 'any' : record.partition;
  return { ...record, partition, headers: rest, time: isEventTime ? timestamp : 'arrival' };
}

/** The part of an answer that both requests must have in common. */
function decision({ status, body }: Awaited<ReturnType<typeof post>>): object {
  const { accepted, errors = [], records = [] } = body;
  const codes = errors.map(({ retryAfterMs: _, ...error }) => error);
  return { status, accepted, errors: codes, records: records.map(lasting) };
}

const at = Date.now() - 60_000;
const shop = { ...keys.bearer('shop'), 'user-agent': 'test/1' };
const CLICKS = [
  { type: 'click', n: 1, user: 'ada', id: 'a', at },
  { type: 'click', n: 'one', user: 'bob' },
  { type: 'click', n: 2, user: 7 },
  { type: 'click', n: 3, user: null, at: 5 },
  { type: 'warned', n: 'three' },
  { type: 'packed', a: 1, b: { c: 'x' } },
  { type: 'closed', id: 'c' },
  { type: 'paged' },
  { type: 'nothing' },
  [],
  { type: 'click', n: 4, filler: 'x'.repeat(5_000) },
];
const json = JSON.stringify(CLICKS);
const lines = CLICKS.map((event) => JSON.stringify(event)).join('\n');
const BODIES: Record<string, Body> = {
  'an array, with a key': { bytes: json, headers: shop },
  'an array, without a key': { bytes: json },
  'NDJSON, with an invalid line': {
    bytes: `${lines}\n{"type":"click",}\n{"type":"click","n":9}`,
    type: 'application/x-ndjson',
    headers: shop,
  },
  MessagePack: { bytes: encode(CLICKS), type: 'application/msgpack', headers: shop },
  'a compressed body': {
    bytes: gzipSync(json),
    headers: { ...shop, 'content-encoding': 'gzip' },
  },
  'one event, its stream in the path': {
    path: '/clicks',
    bytes: JSON.stringify({ n: 1, user: 'ada' }),
    headers: shop,
  },
  'a stream that this key may not write to': {
    path: '/paged',
    bytes: '{}',
    headers: { ...shop, origin: 'https://shop.example' },
  },
  'a page of another origin': {
    path: '/paged',
    bytes: '{}',
    headers: { origin: 'https://elsewhere.example' },
  },
  'a stream that does not exist': { path: '/missing', bytes: '{}', headers: shop },
  'an invalid key': { bytes: '{}', headers: keys.bearer('revoked') },
  'no event': { bytes: '[]', headers: shop },
  'a truncated body': { bytes: '[{"type":"click"', headers: shop },
  'another media type': { bytes: '<a/>', type: 'text/xml', headers: shop },
  'declared repeats': { bytes: json, headers: { ...shop, 'forebay-resent': '1' } },
};

const ends = async () => {
  const records = await Promise.all(
    STORED.map((stream) => readTopic({ brokers, topic: topicOf(stream) })),
  );
  return records.map((all) => all.length);
};

for (const [name, body] of Object.entries(BODIES)) {
  test(`${name}: the dry run decides as the request does, and stores nothing`, async () => {
    const stored = await ends();
    // The topics may not be read yet, and a slow machine may exceed the budget for explanations.
    const dry = await until(async () => {
      const answer = await post(body, 'dryRun=1');
      const records = answer.body.records ?? [];
      const isKnown = records.every(({ key, partition }) => key === null || partition !== null);
      return isKnown ? answer : undefined;
    });
    assert.deepEqual(await ends(), stored, 'nothing is stored');
    const real = await post(body, 'records=1');
    assert.deepEqual(decision(dry), decision(real));
  });
}

test('dry runs take tokens of the rate limit, as the request does', async () => {
  const body = { path: '/clicks', bytes: '{"n":1}', headers: keys.bearer('slow') };
  const both = { ...body, bytes: '[{"n":1},{"n":2}]' };
  assert.deepEqual((await post(both, 'dryRun=1')).status, 200);
  const { status, body: answer } = await post(body, '');
  assert.equal(status, 429, JSON.stringify(answer));
});

test('the metric of dry runs counts them, and those of events only the others', async () => {
  const before = await metricsAtRest(gateway);
  const value = (metrics: typeof before, result: string) =>
    metrics.value('forebay_dry_run_events_total', { result });
  const { accepted = 0 } = (await post({ bytes: json, headers: shop }, 'dryRun=1')).body;
  const after = await metricsAtRest(gateway);
  assert.equal(value(after, 'accepted') - value(before, 'accepted'), accepted);
  assert.equal(value(after, 'rejected') - value(before, 'rejected'), CLICKS.length - accepted);
  assert(accepted > 0 && accepted < CLICKS.length);
  for (const name of [
    'forebay_events_received_total',
    'forebay_events_refused_total',
    'forebay_dead_letters_attempted_total',
    'forebay_schema_candidate_failures_total',
    'forebay_schema_warnings_total',
    'forebay_key_events_total',
  ]) {
    assert.equal(after.value(name), before.value(name), name);
  }
});
