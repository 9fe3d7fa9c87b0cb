/** Responses that are not the gateway's: from proxies and captive portals, and invalid frames. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { WebSocket } from 'ws';
import {
  type Client,
  type ClientOptions,
  createClient,
  type SendError,
} from '../../src/client/client.ts';
import { until } from '../../testing/wait.ts';
import { FakeGateway } from '../page/fake-gateway.ts';

const HTML = '<html><body><h1>413 Request Entity Too Large</h1></body></html>';
const html = (status: number, body: string | null = HTML) =>
  new Response(body, { status, headers: { 'Content-Type': 'text/html' } });
const stored = (events: readonly object[]) => ({ accepted: events.length, errors: [] });

let gateway: FakeGateway;
let client: Client;
let told: Record<string, string>;

beforeEach(async () => {
  gateway = await new FakeGateway().listen();
  told = {};
  // Delays are short, but none is omitted.
  mock.method(Math, 'random', () => 0.01);
});
afterEach(() => {
  mock.restoreAll();
  gateway.close();
  void client.close();
});

function connect(): void {
  const url = `${gateway.url.replace('http', 'ws')}ws`;
  client = createClient({ url, webSocket: WebSocket });
}

/**
 * A client without WebSocket, as in Node.js 20: everything is sent by POST, from the first event
 * on.
 */
function connectByPost(options: Partial<ClientOptions> = {}): void {
  const saved = Object.getOwnPropertyDescriptor(globalThis, 'WebSocket');
  Reflect.deleteProperty(globalThis, 'WebSocket');
  client = createClient({ url: `${gateway.url.replace('http', 'ws')}ws`, ...options });
  if (saved) Object.defineProperty(globalThis, 'WebSocket', saved);
}

/** Sends an event of this size under each of these ids, and records the reports. */
function send(sizes: Readonly<Record<string, number>>): void {
  for (const [id, bytes] of Object.entries(sizes)) {
    const pad = 'x'.repeat(bytes - JSON.stringify({ id, pad: '' }).length);
    client.send({ id, pad }).then(
      () => {
        told[id] = 'stored';
      },
      ({ code }: SendError) => {
        told[id] = code;
      },
    );
  }
}

const sizes = (count: number, bytes: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`e${index}`, bytes]));
const bodyIds = () =>
  gateway.bodies.map(({ text }) => (JSON.parse(text) as { id: string }[]).map(({ id }) => id));
const all = (fate: string, ids: readonly string[]) =>
  Object.fromEntries(ids.map((id) => [id, fate]));

for (const [kind, body] of [
  ['of HTML', HTML],
  ['without a body', null],
  ['with the gateway’s JSON', '{"error":{"code":"too_large","message":"more than 1 MiB"}}'],
] as const) {
  test(`a 413 ${kind}: the body is split, all is stored, each event once and in order`, async () => {
    gateway.answer = (events) =>
      gateway.bodies.at(-1)!.text.length > 10_000 ? html(413, body) : stored(events);
    connectByPost();
    const sent = sizes(100, 500);
    send(sent);
    await until(() => client.status.stored === 100);
    const sizesSent = gateway.bodies.map(({ text }) => text.length);
    assert(sizesSent[0]! > 40_000 && sizesSent[1]! < 25_100, `bodies of ${sizesSent}`);
    const taken = bodyIds().filter((_, index) => sizesSent[index]! <= 10_000);
    assert.deepEqual(taken.flat(), Object.keys(sent));
    // Having grown again, it may meet one more.
    assert(sizesSent.length - taken.length < 6, `bodies of ${sizesSent}`);
    assert.deepEqual(told, all('stored', Object.keys(sent)));
  });
}

test('a single event that meets a 413 is rejected as too_large; the others are stored', async () => {
  gateway.answer = (events) =>
    gateway.bodies.at(-1)!.text.length > 5_000 ? html(413) : stored(events);
  const refused: unknown[] = [];
  connectByPost({ onRefused: (_, { code, message }) => refused.push([code, message]) });
  send({ a: 100, long: 6_000, b: 100, c: 100 });
  await until(() => told.c && told.long);
  assert.deepEqual(told, { ...all('stored', ['a', 'b', 'c']), long: 'too_large' });
  assert.deepEqual(bodyIds()[0], ['a', 'long', 'b', 'c']);
  assert.deepEqual(refused, [['too_large', 'HTTP 413 for an event of 6000 bytes']]);
  const { state, stored: count, bufferedBytes } = client.status;
  assert.deepEqual([state, count, bufferedBytes], ['fallback', 3, 0]);
});

test('a 413 to everything: each event is settled, and none is retried endlessly', async () => {
  gateway.answer = () => html(413);
  connectByPost();
  const sent = sizes(20, 100);
  send(sent);
  await until(() => client.status.refused === 20);
  assert.deepEqual(told, all('too_large', Object.keys(sent)));
  const { length } = gateway.bodies;
  assert(length >= 20 && length < 30, `${length} bodies`);
  assert.equal(client.status.ackMs, undefined, 'a refusal by others is no ack');
  gateway.answer = stored;
  send({ later: 100 });
  await until(() => told.later);
  assert.equal(gateway.bodies.length, length + 1);
});

const named = { code: 'schema', retry: false, message: 'event 0: no', events: [[0, 0]] };
for (const [what, answer, problem] of [
  ['HTML with 200', html(200), 'HTTP 200'],
  ['HTML with 502', html(502), 'HTTP 502'],
  ['a 200 without a body', html(200, null), 'HTTP 200'],
  ['a 503 without a body', html(503, null), 'HTTP 503'],
  ['null', html(200, 'null'), 'HTTP 200'],
  ['a number', html(200, '2'), 'HTTP 200'],
  ['a part of an answer', html(200, '{"accepted":2,"err'), 'HTTP 200'],
  ['an answer without errors', { accepted: 2 }, 'HTTP 200'],
  ['errors that are null', { accepted: 2, errors: null }, 'HTTP 200'],
  ['errors that are a text', { accepted: 0, errors: 'x' }, 'HTTP 200'],
  ['errors that are no list', { accepted: 2, errors: {} }, 'HTTP 200'],
  ['an error that is null', { accepted: 1, errors: [named, null] }, 'HTTP 200'],
  ['fewer accepted events than reported', { accepted: 1, errors: [] }, 'HTTP 200'],
  ['more that was accepted than was sent', { accepted: 3, errors: [] }, 'HTTP 200'],
  ['no number that was accepted', { accepted: '2', errors: [] }, 'HTTP 200'],
  ['an event that was not sent', { accepted: 1, errors: [{ ...named, events: [[2, 2]] }] }, '200'],
] as const) {
  test(`by POST, ${what}: no event is settled, and all are resent in halves`, async () => {
    const problems = new Set<string>();
    let toldBefore: object | undefined;
    gateway.answer = (events) => {
      if (gateway.bodies.length === 1) return answer;
      toldBefore ??= { ...told };
      return stored(events);
    };
    connectByPost({ onStatus: ({ problem: now }) => problems.add(String(now)) });
    send({ a: 100, b: 100 });
    await until(() => told.a && told.b);
    assert.deepEqual(toldBefore, {});
    assert.deepEqual(told, all('stored', ['a', 'b']));
    assert.deepEqual(bodyIds(), [['a', 'b'], ['a'], ['b']], 'half as much');
    assert(
      [...problems].some((text) => text.includes(problem)),
      `problems: ${[...problems]}`,
    );
  });
}

for (const [what, message] of [
  ['text that is not JSON', HTML],
  ['a binary message', new Uint8Array([1, 2])],
  ['null', 'null'],
  ['an ack of a text', '{"ack":"x"}'],
  ['an ack beyond what was sent', '{"ack":9}'],
  ['a nack of nothing', '{"nack":1,"errors":[null]}'],
] as const) {
  test(`by WebSocket, ${what}: nothing throws, and unacknowledged events are resent on a new one`, async () => {
    connect();
    send({ a: 100, b: 100 });
    const first = await gateway.connection(1);
    first.hello(64, 100_000);
    await until(() => first.frames.length === 1);
    first.sayRaw(message);
    await until(() => first.closed);
    assert.match(client.status.problem ?? '', /^not a gateway frame: /);
    assert.deepEqual(told, {});
    const second = await gateway.connection(2);
    second.hello(64, 100_000);
    await until(() => second.frames.length === 1);
    assert.equal(second.frames[0], first.frames[0]);
    second.say({ ack: 1 });
    await until(() => told.a && told.b);
    assert.deepEqual(told, all('stored', ['a', 'b']));
    assert.equal(client.status.reconnects, 1);
  });
}

test('a WebSocket closed with 1009: frames are halved until they pass, and an event that meets it alone is rejected', async () => {
  connect();
  send({ a: 400, b: 400, c: 400, long: 2_000, d: 400 });
  const lengths: number[][] = [];
  for (let number = 1; number < 9 && Object.keys(told).length < 5; number++) {
    const connection = await gateway.connection(number);
    connection.hello(64, 100_000);
    const { frames } = connection;
    await until(() => frames.length > 0);
    // They are sent in one burst, so the others follow immediately.
    await until(() => client.status.waiting === 0 && connection.ids.length === openEvents());
    lengths.push(frames.map(({ length }) => length));
    if (frames.some(({ length }) => length > 1_000)) connection.close(1009, '');
    else connection.say({ ack: frames.length });
    await until(() => gateway.connections > number || Object.keys(told).length === 5);
  }
  assert.deepEqual(told, { ...all('stored', ['a', 'b', 'c', 'd']), long: 'too_large' });
  assert.deepEqual(lengths, [[3_606], [1_204, 2_000, 400], [1_605], [400, 400, 400, 400]]);
});

test('frames that were halved for a 1009 grow again with each success', async () => {
  connect();
  const events = sizes(8, 400);
  send(events);
  const first = await gateway.connection(1);
  first.hello(64, 100_000);
  await until(() => first.frames.length > 0);
  first.close(1009, '');
  const second = await gateway.connection(2);
  second.hello(64, 100_000);
  await until(() => second.ids.length === 8);
  for (const ack of [1, 2, 3]) second.say({ ack });
  await until(() => Object.keys(told).length === 8);
  const more = sizes(20, 401);
  send(more);
  await until(() => client.status.waiting === 0 && second.ids.length === 28);
  second.say({ ack: second.frames.length });
  await until(() => client.status.stored === 28);
  const longest = (frames: readonly string[]) => Math.max(...frames.map(({ length }) => length));
  assert.equal(longest(second.frames.slice(0, 3)), 1_204);
  assert(longest(second.frames.slice(3)) > 1_204);
  assert.equal(client.status.reconnects, 1);
});

/** Events that were sent and are unsettled. */
function openEvents(): number {
  const { sent, stored: ended, refused } = client.status;
  return sent - ended - refused;
}

test('a server that opens WebSockets but sends no gateway frames counts as blocked: events are sent by POST', async () => {
  const real = performance.now.bind(performance);
  let shiftMs = 0;
  mock.method(performance, 'now', () => real() + shiftMs);
  gateway.answer = stored;
  connect();
  send({ a: 100 });
  for (const number of [1, 2, 3]) {
    const connection = await gateway.connection(number);
    if (number < 3) assert.equal(gateway.bodies.length, 0, 'one alone blocks nothing');
    if (number === 3) shiftMs = 2_100;
    connection.sayRaw('welcome to the guest network');
  }
  await until(() => told.a);
  assert.deepEqual(told, { a: 'stored' });
  assert.equal(client.status.state, 'fallback');
});
