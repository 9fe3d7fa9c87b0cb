/** Reloads of the streams at random, under load: no event is lost, stored twice or out of order. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FrameClient } from '../../../testing/frame-client.ts';
import { type Gateway, startGateway } from '../../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../../testing/kafka.ts';
import { SeededRandom } from '../../../testing/random.ts';
import { metricsAtRest } from '../../../testing/stage.ts';
import { eachRecord } from '../../../testing/topic.ts';
import { until } from '../../../testing/wait.ts';
import { logged } from '../../../testing/watch.ts';

const RELOADS = 100;
const EVENTS_PER_SECOND = 20_000;
const CLIENTS = 8;
const EVENTS_PER_FRAME = 50;
const KEYS_PER_CLIENT = 10;
const FRAME_MS = (1000 * CLIENTS * EVENTS_PER_FRAME) / EVENTS_PER_SECOND;
const MOVING_TOPICS = 3;
/** Rejections of events whose stream was removed. */
const REMOVED = new Set(['draining', 'unknown_stream']);
/** Types of events, and their streams: `coming` is there in some versions only. */
const TYPES = ['steady', 'moving', 'coming'] as const;
type Type = (typeof TYPES)[number];

const folder = mkdtempSync(join(tmpdir(), 'forebay-reloads-'));
const path = join(folder, 'streams.yaml');
const schemaPath = join(folder, 'steady.json');
const prefix = uniqueTopic();
const topicsOf: Record<Type, readonly string[]> = {
  steady: [`${prefix}.steady`],
  moving: Array.from({ length: MOVING_TOPICS }, (_, index) => `${prefix}.moving-${index}`),
  coming: [`${prefix}.coming`],
};
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);
const random = new SeededRandom(SEED, 'reloads');

/** A version of the stream file. Kafka's time of each append shows the order across topics. */
function version({ moving, coming, share }: { moving: number; coming: boolean; share: number }) {
  const create =
    'create: { partitions: 2, replication: 1, config: { message.timestamp.type: LogAppendTime } }';
  const line = (name: Type, topic: string, rest = '') =>
    `  ${name}: { topic: ${topic}, match: [${name}], ${create}, limits: { bufferShare: ${share} }${rest} }`;
  return [
    'version: 1',
    'routing: { field: type }',
    'defaults: { key: { field: user } }',
    'streams:',
    line('steady', topicsOf.steady[0]!, ', schema: { file: steady.json }'),
    line('moving', topicsOf.moving[moving]!),
    ...(coming ? [line('coming', topicsOf.coming[0]!)] : []),
    '',
  ].join('\n');
}

/** Events of one type from one client, and their results. */
class Series {
  /** By number: 1 = stored, as acknowledged; 2 = rejected. */
  readonly results: number[] = [];
  readonly copies: number[] = [];
}

const seriesOf = new Map<string, Series>();
function series(type: Type, client: number): Series {
  const name = `${type} ${client}`;
  const found = seriesOf.get(name) ?? new Series();
  seriesOf.set(name, found);
  return found;
}

/** Sends frames with events of all types until `stopped`, and records the result of each event. */
async function send(client: FrameClient, number: number, stopped: () => boolean): Promise<void> {
  const results: Promise<void>[] = [];
  const startMs = performance.now();
  for (let frame = 0; !stopped(); frame++) {
    const dueMs = startMs + frame * FRAME_MS;
    if (dueMs > performance.now()) await sleep(dueMs - performance.now());
    const events = Array.from({ length: EVENTS_PER_FRAME }, () => {
      const type = TYPES[Math.floor(random.next() * TYPES.length)]!;
      const { results } = series(type, number);
      return { type, n: results.push(0) - 1 };
    });
    const texts = events.map(({ type, n }) =>
      JSON.stringify({ type, user: `${number}-${n % KEYS_PER_CLIENT}`, c: number, n }),
    );
    const sent = await client.sendWithin(`[${texts.join(',')}]`);
    const record = async () => {
      const errors = await client.fate(sent, 60_000);
      for (const { type, n } of events) series(type, number).results[n] = 1;
      for (const { code, events: ranges = [[0, EVENTS_PER_FRAME - 1]] } of errors) {
        assert(REMOVED.has(code), `rejected with ${code}`);
        for (const [from, to] of ranges) {
          for (const { type, n } of events.slice(from, to + 1)) {
            assert.equal(type, 'coming', code);
            series(type, number).results[n] = 2;
          }
        }
      }
    };
    results.push(record());
  }
  await Promise.all(results);
}

let gateway: Gateway;
let brokers: readonly string[];

before(async () => {
  writeFileSync(path, version({ moving: 0, coming: true, share: 0.5 }));
  writeFileSync(schemaPath, '{"type":"object"}');
  ({ brokers } = await sharedKafka());
  const env = { FOREBAY_STREAMS_FILE: path, FOREBAY_WORKERS: '2' };
  gateway = await startGateway({ brokers, topic: uniqueTopic(), env });
});
after(async () => {
  await gateway?.stop();
  rmSync(folder, { recursive: true });
});

const count = (text: string) => logged(gateway, text).length;

/** Writes a random version, at times a broken one first, and waits until it is in use. */
async function reload(round: number): Promise<void> {
  const before = count('streams reloaded');
  if (round % 10 === 9) {
    const failures = count('stream file reload failed, keeping the previous streams');
    writeFileSync(path, `version: 1\nstreams: { round-${round}: {} }\n`);
    const failed = () =>
      count('stream file reload failed, keeping the previous streams') > failures;
    await until(failed, { what: 'the failure' });
  }
  writeFileSync(schemaPath, JSON.stringify({ type: 'object', title: `version ${round}` }));
  const moving = Math.floor(random.next() * MOVING_TOPICS);
  const share = 0.3 + 0.4 * random.next();
  writeFileSync(path, version({ moving, coming: random.next() < 0.5, share }));
  await until(() => count('streams reloaded') > before, {
    what: `reload ${round}`,
  });
}

test('100 reloads while 20,000 events/s arrive lose, repeat and reorder nothing', async (t) => {
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, () => FrameClient.open(gateway.wsUrl)),
  );
  let stopped = false;
  const startMs = performance.now();
  const sending = clients.map((client, number) => send(client, number, () => stopped));
  const failed = Promise.all(sending).then(() => {
    throw new Error('the clients ended early');
  });
  const reloading = (async () => {
    for (let round = 0; round < RELOADS; round++) await reload(round);
  })();
  await Promise.race([reloading, failed]);
  stopped = true;
  const seconds = (performance.now() - startMs) / 1000;
  failed.catch(() => {});
  await Promise.all(sending);
  for (const client of clients) {
    assert.deepEqual(client.violations, []);
    await client.close();
  }
  const results = [...seriesOf.values()].flatMap((each) => each.results);
  const rejected = results.filter((result) => result === 2).length;
  const rate = Math.round(results.length / seconds);
  t.diagnostic(`SEED=${SEED}`);
  t.diagnostic(`${results.length} events, ${rate}/s; ${rejected} for a removed stream`);
  assert(count('streams reloaded') >= RELOADS);
  assert(rate > 0.9 * EVENTS_PER_SECOND, `only ${rate} events/s`);
  assert(rejected > 0 && rejected < results.length / 3, 'the stream came and went');

  const used: Record<Type, number> = { steady: 0, moving: 0, coming: 0 };
  for (const type of TYPES) {
    /** By key: number and time of the events. */
    const byKey = new Map<string, { n: number; ms: number }[]>();
    for (const topic of topicsOf[type]) {
      let records = 0;
      const last = new Map<string, number>();
      await eachRecord({ brokers, topic }, ({ key, value, timestamp }) => {
        records++;
        const event = JSON.parse(String(value)) as { type: Type; c: number; n: number };
        assert.equal(event.type, type, topic);
        const { copies } = series(type, event.c);
        copies[event.n] = (copies[event.n] ?? 0) + 1;
        const name = String(key);
        assert(event.n > (last.get(name) ?? -1), `${topic}: ${name} ${event.n} is out of order`);
        last.set(name, event.n);
        const events = byKey.get(name) ?? [];
        byKey.set(name, events);
        events.push({ n: event.n, ms: timestamp });
      });
      if (records > 0) used[type]++;
    }
    for (const [key, events] of byKey) {
      events.sort((a, b) => a.n - b.n);
      for (const [index, { n, ms }] of events.entries()) {
        const earlier = events[index - 1];
        assert(ms >= (earlier?.ms ?? 0), `${type}: ${key} ${n} was stored before ${earlier?.n}`);
      }
    }
  }
  assert.deepEqual(used, { steady: 1, moving: MOVING_TOPICS, coming: 1 });
  for (const [name, { results, copies }] of seriesOf) {
    for (const [n, result] of results.entries()) {
      assert.equal(copies[n] ?? 0, result === 1 ? 1 : 0, `copies of ${name} ${n}`);
    }
  }
  assert.equal((await metricsAtRest(gateway)).value('forebay_events_unaccounted'), 0);
});
