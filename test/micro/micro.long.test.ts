/** `forebay micro` as a process, on both transports. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { FrameClient } from '../../testing/frame-client.ts';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { metricsAtRest } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { Listener } from '../cli/listen/listener.ts';

const NAME = 'forebay micro, not Kafka';
const TRANSPORTS = ['uws', 'node'] as const;
const folder = mkdtempSync(join(tmpdir(), 'forebay-micro-'));
const started: Gateway[] = [];
afterEach(async () => {
  for (const gateway of started.splice(0)) await gateway.kill();
});
after(() => rmSync(folder, { recursive: true }));

const STREAMS = `
version: 1
defaults: { deadLetter: rejected }
streams:
  clicks:
    topic: web.clicks
    create: { partitions: 2 }
    schema: { file: click.json }
    key: { field: user }
    headers: [received, event-id, transport]
    time: { field: at }
  orders: { topic: shop.orders, key: none }
  rejected: { topic: web.rejected, internal: true }
`;
const CLICK = { type: 'object', required: ['user', 'at'], properties: { n: { type: 'integer' } } };
const streamsFile = join(folder, 'streams.yaml');
writeFileSync(streamsFile, STREAMS);
writeFileSync(join(folder, 'click.json'), JSON.stringify(CLICK));

interface Options {
  readonly transport?: string;
  readonly nodeArgs?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

async function startMicro(given: Options = {}) {
  const { transport = 'uws', args = [], env = {}, nodeArgs = [] } = given;
  const settings = { FOREBAY_TRANSPORT: transport, ...env };
  const options = {
    brokers: [],
    topic: 'events',
    args: ['micro', ...args],
    env: settings,
    nodeArgs,
  };
  const gateway = await startGateway(options);
  started.push(gateway);
  return gateway;
}

/** Requests a path of the admin port. */
async function micro(gateway: Gateway, path: string, init: RequestInit = {}) {
  const response = await fetch(`${gateway.adminUrl}/micro/${path}`, init);
  // biome-ignore lint/suspicious/noExplicitAny: the content of a response
  return { status: response.status, body: (await response.json()) as any };
}

const expectEvents = (gateway: Gateway, body: unknown) =>
  micro(gateway, 'expect', { method: 'POST', body: JSON.stringify(body) });

async function post(gateway: Gateway, body: unknown, stream = '') {
  const response = await fetch(`${gateway.httpUrl}/events${stream}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return (await response.json()) as { accepted: number; errors: { code: string }[] };
}

const event = (msg: string) => ({ msg, clientId: 'me', timestamp: 1 });

for (const transport of TRANSPORTS) {
  test(`${transport}: streams, keys, headers, times and dead letters are in the log of one process`, async () => {
    const gateway = await startMicro({ transport, env: { FOREBAY_STREAMS_FILE: streamsFile } });
    assert.deepEqual(gateway.workers(), []);
    const at = Date.now() - 5_000;
    const answer = await post(
      gateway,
      [
        { user: 'u1', at, n: 1, id: 'a1' },
        { user: 7, n: 'x' },
      ],
      '/clicks',
    );
    assert.deepEqual([answer.accepted, answer.errors[0]!.code], [1, 'schema']);
    const client = await FrameClient.open(`${gateway.wsUrl}/orders`);
    assert.deepEqual(await client.exchange('{"order":1}'), []);
    await client.close();
    assert.equal((await expectEvents(gateway, { stream: 'clicks', good: 1, bad: 1 })).status, 200);
    assert.equal((await expectEvents(gateway, { stream: 'rejected', good: 1 })).status, 200);
    const { body } = await micro(gateway, 'events');
    assert.equal(body.isKafka, false);
    const [stored] = body.events.filter(({ outcome }: { outcome: string }) => outcome === 'stored');
    assert.deepEqual(
      [stored.stream, stored.topic, stored.offset, stored.key, stored.timestamp, stored.value.n],
      ['clicks', 'web.clicks', 0, 'u1', at, 1],
    );
    assert.deepEqual(
      [stored.headers['fb-id'], stored.headers['fb-transport'], stored.partition < 2],
      ['a1', 'http', true],
    );
    const letters = (await micro(gateway, 'events?outcome=dead_letter')).body.events;
    assert.deepEqual(
      letters.map((letter: { headers: Record<string, string> }) => letter.headers['fb-error-code']),
      ['schema'],
    );
    const orders = (await micro(gateway, 'events?stream=orders')).body.events;
    assert.deepEqual(
      [orders[0].key, orders[0].transport, orders[0].value],
      [null, 'ws', { order: 1 }],
    );
    for (const page of [`${gateway.httpUrl}/`, `${gateway.adminUrl}/`]) {
      assert.match(await (await fetch(page)).text(), /<title>/);
    }
    const metrics = await metricsAtRest(gateway);
    assert.equal(metrics.value('forebay_events_unaccounted'), 0);
    assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
    for (const line of gateway.log) assert.equal(line.name, NAME, JSON.stringify(line));
    assert.match(gateway.errors[0] ?? '', /THIS IS NOT KAFKA/);
  });

  test(`${transport}: with --data, events survive SIGKILL; a second process cannot use the folder`, async () => {
    const data = join(folder, `data-${transport}`);
    const args = ['--data', data];
    const first = await startMicro({ transport, args });
    for (let index = 0; index < 20; index++) await post(first, event(`event ${index}`));
    await post(first, [7]);
    await assert.rejects(startMicro({ transport, args }), /process \d+ is using this folder/);
    await first.kill();
    const second = await startMicro({ transport, args });
    assert.equal((await expectEvents(second, { stream: 'default', good: 20, bad: 1 })).status, 200);
    await post(second, event('after the restart'));
    const { events } = (await micro(second, 'events?outcome=stored')).body;
    assert.deepEqual(
      events.map(({ offset }: { offset: number }) => offset),
      Array.from({ length: 21 }, (_, index) => index),
    );
    assert.equal(events[19].value.msg, 'event 19');
    assert.equal((await second.stop()).code, 0);
    const lines = readFileSync(join(data, 'default.stored.ndjson'), 'utf8').trim().split('\n');
    assert.equal(lines.length, 21);
  });

  test(`${transport}: at its bound it answers buffer_full and evicts nothing`, async () => {
    const gateway = await startMicro({ transport, args: ['--max-bytes', '4096'] });
    let stored = 0;
    const codes = new Set<string>();
    for (let index = 0; index < 60; index++) {
      const { accepted, errors } = await post(gateway, event(`event ${index}`));
      stored += accepted;
      for (const { code } of errors) codes.add(code);
    }
    assert.deepEqual([...codes], ['buffer_full']);
    assert(stored > 0 && stored < 60, `${stored} stored`);
    const { events } = (await micro(gateway, 'events?outcome=stored')).body;
    assert.equal(events.length, stored);
    assert.equal(events[0].value.msg, 'event 0');
    assert.equal((await fetch(`${gateway.adminUrl}/readyz`)).status, 200);
    const { removed } = (await micro(gateway, 'reset', { method: 'POST' })).body;
    assert.deepEqual([removed.stored, removed.rejected], [stored, 60 - stored]);
    assert.equal((await post(gateway, event('after the reset'))).accepted, 1);
    assert(gateway.log.some(({ msg }) => msg === 'event log is full'));
  });

  test(`${transport}: a reset during load loses no event: each is removed by it, or in the log`, async () => {
    const gateway = await startMicro({ transport });
    const client = await FrameClient.open(gateway.wsUrl);
    let removed = 0;
    let resets = 0;
    let isOver = false;
    const resetting = (async () => {
      while (!isOver) {
        const answer = await micro(gateway, 'reset', { method: 'POST' });
        removed += answer.body.removed.stored;
        if (answer.body.removed.stored > 0) resets++;
      }
    })();
    let sent = 0;
    await until(
      async () => {
        const batch = Array.from({ length: 50 }, () => event(`event ${sent++}`));
        assert.deepEqual(await client.exchange(JSON.stringify(batch)), []);
        return resets >= 10;
      },
      { everyMs: 0, what: 'ten resets during load' },
    );
    isOver = true;
    await resetting;
    await client.close();
    const { events } = (await micro(gateway, 'events?limit=10000')).body;
    assert.equal(removed + events.length, sent);
    const metrics = await metricsAtRest(gateway);
    assert.equal(metrics.value('forebay_events_stored_total'), sent);
  });
}

test('darwin, simulated: events are stored in files, removed, and the end is clean', async () => {
  const preload = new URL('../fixtures/other-platform.mjs', import.meta.url);
  const nodeArgs = ['--import', `${preload.href}?darwin`];
  const args = ['--data', join(folder, 'darwin')];
  const gateway = await startMicro({ transport: 'node', args, nodeArgs });
  assert.equal((await post(gateway, event('one'))).accepted, 1);
  const removed = (await micro(gateway, 'reset', { method: 'POST' })).body.removed;
  assert.equal(removed.stored, 1);
  assert.equal((await post(gateway, event('two'))).accepted, 1);
  assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
  const lines = readFileSync(join(folder, 'darwin', 'default.stored.ndjson'), 'utf8').trim();
  assert.equal(JSON.parse(lines).value.msg, 'two');
});

test('an expectation waits for events, ends at its timeout, and rejects bad input with a code', async () => {
  const env = { FOREBAY_ADMIN_TOKEN: 'the token' };
  const gateway = await startMicro({ env });
  const headers = { authorization: 'Bearer the token' };
  const ask = (body: string, others = {}) =>
    micro(gateway, 'expect', { method: 'POST', body, headers: { ...headers, ...others } });
  const waiting = ask('{"stream":"default","good":2,"bad":0,"withinMs":60000}');
  await post(gateway, event('one'));
  await post(gateway, event('two'));
  const { status, body } = await waiting;
  assert.deepEqual([status, body.met, body.good, body.bad], [200, true, 2, 0]);
  const late = await ask('{"good":3,"withinMs":50}');
  assert.equal(late.status, 417);
  assert.match(late.body.error.message, /^all streams: 2 good of 3 expected, after \d+ ms$/);
  await post(gateway, [7]);
  const early = await ask('{"bad":0,"withinMs":60000}');
  assert.deepEqual([early.status, early.body.rejected[0].code], [417, 'not_an_object']);
  for (const [bad, code, others] of [
    ['{"good":"3"}', 400, {}],
    ['{"stream":"nope","good":3}', 400, {}],
    ['{"good":3', 400, {}],
    [JSON.stringify({ good: 3, stream: 'x'.repeat(300_000) }), 400, {}],
    ['{"good":3}', 401, { authorization: 'Bearer another' }],
    ['{"good":3}', 403, { origin: 'https://shop.example' }],
  ] as const) {
    const answer = await ask(bad, others);
    assert.equal(answer.status, code, bad.slice(0, 40));
    assert.equal(typeof answer.body.error.code, 'string');
  }
  assert.equal((await micro(gateway, 'expect', { headers })).status, 405);
  assert.equal((await micro(gateway, 'events', { method: 'POST', headers })).status, 405);
  assert.equal((await micro(gateway, 'events')).status, 401);
  assert.equal((await micro(gateway, 'events?since=x', { headers })).status, 400);
  assert.equal((await micro(gateway, 'other', { headers })).status, 404);
});

test('SIGHUP reads the stream file again, and the worker goes on', async () => {
  const path = join(folder, 'changing.yaml');
  const file = (name: string) => `version: 1\nstreams:\n  ${name}: { topic: web.${name} }\n`;
  writeFileSync(path, file('one'));
  const gateway = await startMicro({ env: { FOREBAY_STREAMS_FILE: path } });
  assert.equal((await post(gateway, { n: 1 }, '/one')).accepted, 1);
  writeFileSync(path, `${file('one')}  two: { topic: web.two, create: { partitions: 2 } }\n`);
  gateway.signal('SIGHUP');
  await until(() => gateway.log.some(({ msg }) => msg === 'streams reloaded'));
  await until(async () => (await post(gateway, { n: 2 }, '/two')).accepted === 1);
  assert(gateway.log.some(({ msg }) => String(msg).startsWith('worker not replaced')));
  const { events } = (await micro(gateway, 'events?stream=two')).body;
  assert.deepEqual([events[0].topic, events[0].partition < 2], ['web.two', true]);
  assert.equal((await gateway.stop()).code, 0);
});

test('listen --micro prints the log, and goes on with the log of the next process', async () => {
  const first = await startMicro();
  await post(first, '{"msg":"old","clientId":"me","timestamp":1}');
  const place = { brokers: [], topic: '' };
  const args = ['--micro', first.adminUrl, '--from', 'beginning', '--count', '3'];
  const listener = new Listener(place, args);
  await listener.prints(1);
  await post(first, [{ ...event('other'), clientId: 'you' }, 7]);
  await listener.prints(2);
  await first.kill();
  await listener.says(/forebay micro cannot be reached/);
  const options = { brokers: [], topic: 'events', args: ['micro'] };
  const second = await startGateway({ ...options, ports: [first.port, first.adminPort] });
  started.push(second);
  await listener.says(/started again/);
  await post(second, '{"msg":"new","clientId":"me","timestamp":12345678901234567890}');
  assert.equal(await listener.exit, 0);
  const values = listener.lines.map((line) => line.split('\t').at(-1));
  assert.deepEqual(values, [
    '{"msg":"old","clientId":"me","timestamp":1}',
    '{"msg":"other","clientId":"you","timestamp":1}',
    '{"msg":"new","clientId":"me","timestamp":12345678901234567890}',
  ]);
  assert.match(listener.err, /reading all streams of forebay micro at .*, which is not Kafka/);
  const wrong = new Listener(place, ['--micro', second.adminUrl, '--stream', 'nope']);
  assert.equal(await wrong.exit, 2);
  assert.match(wrong.err, /no stream "nope"/);
});

test('a taken port and an invalid setting end it with the message and code of the gateway', async () => {
  const gateway = await startMicro();
  const options = { brokers: [], topic: 'events', args: ['micro'], ready: false } as const;
  for (const [env, code, message] of [
    [{ FOREBAY_PORT: String(gateway.port) }, 1, /FOREBAY_PORT: port \d+ is already in use/],
    [{ FOREBAY_MAX_FRAME_BYTES: 'x' }, 2, /FOREBAY_MAX_FRAME_BYTES/],
    [{ FOREBAY_STREAMS_FILE: join(folder, 'none.yaml') }, 1, /none\.yaml/],
  ] as const) {
    const failing = await startGateway({ ...options, env });
    started.push(failing);
    const exit = await failing.exit;
    assert.equal(exit.code, code, failing.logTail());
    assert.match(failing.errors.join('\n'), message);
  }
});
