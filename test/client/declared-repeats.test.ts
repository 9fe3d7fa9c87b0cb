/** Declaration of events that may be stored already, on each path that resends one. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import { type Client, createClient } from '../../src/client/client.ts';
import { type Entry, progress } from '../../src/client/entry.ts';
import { KeepaliveSender } from '../../src/client/keepalive-sender.ts';
import { Key } from '../../src/client/key.ts';
import { Outbox } from '../../src/client/outbox.ts';
import { Poster } from '../../src/client/poster.ts';
import { until } from '../../testing/wait.ts';
import { type FakeConnection, FakeGateway } from '../page/fake-gateway.ts';

let gateway: FakeGateway;
let client: Client | undefined;
let url: string;

beforeEach(async () => {
  gateway = await new FakeGateway().listen();
  url = `${gateway.url.replace('http', 'ws')}ws`;
  // Delays are short, but none is omitted.
  mock.method(Math, 'random', () => 0.05);
});
afterEach(() => {
  mock.restoreAll();
  gateway.close();
  void client?.close();
});

function connect(): void {
  client = createClient({ url, webSocket: WebSocket });
}

/** Replaces a global value until the test ends; undefined = removes it. */
function replace(t: TestContext, name: string, value: unknown): void {
  const real = Object.getOwnPropertyDescriptor(globalThis, name);
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  t.after(() => {
    if (real) Object.defineProperty(globalThis, name, real);
    else Reflect.deleteProperty(globalThis, name);
  });
}

/** Creates a client that sends everything by POST, as in Node.js 20. */
function connectByPost(t: TestContext): void {
  replace(t, 'WebSocket', undefined);
  client = createClient({ url });
}

/** Sends a frame with these events. */
async function sendFrame(connection: FakeConnection, ...ids: string[]): Promise<void> {
  const before = connection.frames.length;
  for (const id of ids) void client!.send({ id });
  await until(() => connection.frames.length > before);
}

async function opened(number: number): Promise<FakeConnection> {
  const connection = await gateway.connection(number);
  connection.hello(64, 1e6);
  return connection;
}

const nack = (frame: number, code: string, events: [number, number], retryAfterMs = 1) => ({
  nack: frame,
  errors: [{ code, retry: true, retryAfterMs, events: [events], message: code }],
});
const answered = (code: string, status = 503) =>
  new Response(JSON.stringify({ error: { code, message: code } }), { status });
const refusal = (code: string) => ({
  accepted: 0,
  errors: [{ code, retry: true, retryAfterMs: 1, message: code, events: [[0, 1]] }],
});
const marks = () => gateway.bodies.map(({ headers }) => headers['forebay-resent']);

test('a new connection declares the events, not the frames, that had no result', async () => {
  connect();
  const first = await opened(1);
  await sendFrame(first, 'a', 'b', 'c');
  await sendFrame(first, 'd', 'e');
  first.say(nack(1, 'buffer_full', [1, 1]));
  first.say({ ack: 1 });
  await until(() => client!.status.stored === 2);
  await until(() => first.frames.length === 3, { what: 'the rejected one again' });
  first.say(nack(3, 'buffer_full', [0, 0], 60_000));
  await until(() => client!.status.unacknowledged === 2);
  first.close(1012, 'restart');
  await until(() => client!.status.state !== 'open');
  void client!.send({ id: 'f' });
  const second = await opened(2);
  assert.deepEqual([first.path, second.path], ['/ws', '/ws?resent=2']);
  await until(() => second.ids.length === 3);
  assert.deepEqual(second.ids, ['d', 'e', 'f']);
});

test('the same number is declared until a connection opens, also with another query', async () => {
  url += '?from=shop';
  connect();
  await sendFrame(await opened(1), 'a');
  (await gateway.connection(1)).cut();
  for (const number of [2, 3]) {
    const mute = await gateway.connection(number);
    assert.equal(mute.path, '/ws?from=shop&resent=1');
    mute.cut();
  }
  const last = await opened(4);
  assert.equal(last.path, '/ws?from=shop&resent=1');
  await until(() => last.ids.length === 1);
  last.say({ ack: 1 });
  await until(() => client!.status.stored === 1);
  last.cut();
  assert.equal((await gateway.connection(5)).path, '/ws?from=shop');
});

test('a frame without an ack after goaway is declared', async () => {
  connect();
  const first = await opened(1);
  await sendFrame(first, 'a', 'b');
  first.say({ goaway: { reason: 'restart', reconnectMs: 1 } });
  first.close(1012, 'restart');
  assert.equal((await gateway.connection(2)).path, '/ws?resent=2');
});

test('an event dropped before the next connection is not declared', async () => {
  client = createClient({ url, webSocket: WebSocket, maxBufferedBytes: 24 });
  const first = await opened(1);
  await sendFrame(first, 'a', 'b');
  first.cut();
  await until(() => client!.status.waiting === 2);
  void client.send({ id: 'c' });
  assert.equal(client.status.dropped, 1);
  assert.equal((await gateway.connection(2)).path, '/ws?resent=1');
});

test('an event dropped while the next connection opens: an original takes its mark', async () => {
  client = createClient({ url, webSocket: WebSocket, maxBufferedBytes: 24 });
  const first = await opened(1);
  await sendFrame(first, 'a', 'b');
  first.close(1012, 'restart');
  const second = await gateway.connection(2);
  assert.equal(second.path, '/ws?resent=2');
  void client.send({ id: 'c' });
  second.hello(64, 1e6);
  await until(() => second.ids.length === 2);
  assert.deepEqual(second.ids, ['b', 'c']);
});

test('an event with a timeout is posted while the connection sends other events', async () => {
  gateway.answer = (events) => ({ accepted: events.length, errors: [] });
  connect();
  const connection = await opened(1);
  await sendFrame(connection, 'a', 'b');
  connection.say(nack(1, 'timeout', [0, 0]));
  connection.say({ ack: 1 });
  await until(() => client!.status.stored === 2);
  assert.deepEqual([gateway.bodies[0]!.text, ...marks()], ['[{"id":"a"}]', '1']);
  await sendFrame(connection, 'c');
  assert.deepEqual(connection.ids, ['a', 'b', 'c']);
  assert.equal(client!.status.reconnects, 0);
});

test('a declared event that is rejected stays a repeat: it is posted', async () => {
  gateway.answer = (events) => ({ accepted: events.length, errors: [] });
  connect();
  await sendFrame(await opened(1), 'a');
  (await gateway.connection(1)).cut();
  const second = await opened(2);
  await until(() => second.frames.length === 1);
  second.say(nack(1, 'rate_limited', [0, 0]));
  second.say({ ack: 1 });
  await until(() => client!.status.stored === 1);
  assert.deepEqual([second.ids, marks()], [['a'], ['1']]);
});

for (const [what, answer] of [
  ['gets no response', () => undefined],
  ['gets the response of a proxy', () => new Response('', { status: 502 })],
  ['is rejected as a request', () => answered('unauthorized', 401)],
] as const) {
  test(`a repeat whose POST ${what} is declared by a new connection, after the last ack`, async () => {
    gateway.answer = answer;
    connect();
    const first = await opened(1);
    await sendFrame(first, 'a', 'b');
    await sendFrame(first, 'c');
    first.say(nack(1, 'timeout', [0, 1]));
    first.say({ ack: 1 });
    await until(() => gateway.bodies.length === 1 && client!.status.unacknowledged === 1);
    void client!.send({ id: 'd' });
    await until(() => client!.status.waiting === 3);
    assert.equal(first.frames.length, 2, 'it sends nothing more');
    first.say({ ack: 2 });
    const second = await opened(2);
    assert.equal(second.path, '/ws?resent=2');
    await until(() => second.ids.length === 3);
    assert.deepEqual(second.ids.slice(-1), ['d']);
  });
}

for (const [what, answer, again] of [
  ['no response', () => undefined, '1'],
  ['the response of a proxy', () => new Response('', { status: 502 }), '1'],
  ['timeout', () => refusal('timeout'), '1'],
  ['kafka_unavailable for the event', () => refusal('kafka_unavailable'), undefined],
  ['buffer_full for the body', () => answered('buffer_full'), undefined],
  ['draining for the body', () => answered('draining'), undefined],
  ['request_timeout', () => answered('request_timeout', 408), undefined],
  ['413', () => new Response('', { status: 413 }), undefined],
] as const) {
  const isMarked = again === undefined ? 'not marked' : 'marked';
  test(`without WebSockets, after ${what} the next body is ${isMarked}`, async (t) => {
    gateway.answer = (events) =>
      gateway.bodies.length === 1 ? answer() : { accepted: events.length, errors: [] };
    connectByPost(t);
    for (const id of ['a', 'b']) void client!.send({ id });
    await until(() => client!.status.stored === 2);
    assert.deepEqual(marks().slice(0, 2), [undefined, again]);
  });
}

test('a body has either repeats or originals', async (t) => {
  gateway.answer = (events) =>
    gateway.bodies.length === 1 ? undefined : { accepted: events.length, errors: [] };
  connectByPost(t);
  void client!.send({ id: 'a' });
  await until(() => gateway.bodies.length === 1);
  void client!.send({ id: 'b' });
  await until(() => client!.status.stored === 2);
  const sent = gateway.bodies.map(({ text }) => text);
  assert.deepEqual(sent, ['[{"id":"a"}]', '[{"id":"a"}]', '[{"id":"b"}]']);
  assert.deepEqual(marks(), [undefined, '1', undefined]);
});

test('page exit: beacons declare events in flight in their URL, fetches in a header', (t) => {
  const entry = (id: string): Entry => {
    const text = JSON.stringify({ id });
    return { event: {}, text, bytes: text.length, ...progress(), stored() {}, failed() {} };
  };
  const requests: unknown[] = [];
  let isFull = false;
  const sendBeacon = (to: string, body: string) => !isFull && requests.push([to, body]);
  replace(t, 'navigator', { sendBeacon });
  mock.method(globalThis, 'fetch', (_: string, { body, headers }: RequestInit) => {
    requests.push([headers, body]);
    return Promise.reject(new TypeError('Failed to fetch'));
  });
  const none = () => {};
  const events = { sent: none, stored: none, refused: none, stuck: none, left: none };
  for (isFull of [false, true]) {
    const outbox = new Outbox(1_000);
    const poster = new Poster('http://x/events', new Key(undefined), outbox, events);
    const sender = new KeepaliveSender(
      'http://x/events',
      new Key(undefined),
      outbox,
      poster,
      events,
    );
    for (const id of ['a', 'b', 'c']) outbox.add(entry(id));
    outbox.take(2, 100);
    sender.last();
  }
  const [repeats, originals] = ['[{"id":"a"},{"id":"b"}]', '[{"id":"c"}]'];
  assert.deepEqual(requests.slice(0, 4), [
    ['http://x/events?resent=1', repeats],
    ['http://x/events', originals],
    [{ 'Forebay-Resent': '1' }, repeats],
    [{}, originals],
  ]);
});
