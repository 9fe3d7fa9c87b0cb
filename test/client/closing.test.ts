/** Reports of events that are unsettled when the client closes, or have no room in the buffer. */
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
import { type FakeConnection, FakeGateway } from '../page/fake-gateway.ts';

let gateway: FakeGateway;
let client: Client;

beforeEach(async () => {
  gateway = await new FakeGateway().listen();
  // A close has its real timeout; other delays are moments.
  const { setTimeout: set } = globalThis;
  mock.method(globalThis, 'setTimeout', (act: () => void, ms: number) =>
    set(act, ms === 10_000 ? 100 : ms),
  );
  mock.method(Math, 'random', () => 0.05);
});
afterEach(() => {
  mock.restoreAll();
  gateway.close();
  void client.close();
});

function connect(options: Partial<ClientOptions> = {}): void {
  const url = `${gateway.url.replace('http', 'ws')}ws`;
  client = createClient({ url, webSocket: WebSocket, ...options });
}

async function sent(): Promise<{ connection: FakeConnection; end: Promise<string> }> {
  const end = client.send({ id: 'a' }).then(
    () => 'stored',
    ({ message }: SendError) => message,
  );
  const connection = await gateway.connection(1);
  connection.hello(64, 100_000);
  await until(() => connection.frames.length === 1);
  return { connection, end };
}

const nack = (code: string, retryAfterMs = 60_000) => ({
  nack: 1,
  errors: [{ code, retry: true, retryAfterMs, message: `event 0: ${code}` }],
});

test('an event without an ack when the client closes: it may have been stored', async () => {
  connect();
  const { end } = await sent();
  await client.close();
  assert.equal(await end, 'the client was closed; the event may have been stored');
});

test('a temporarily rejected event: it was not stored, and why', async () => {
  connect();
  const { connection, end } = await sent();
  connection.say(nack('kafka_unavailable'));
  await until(() => client.status.unacknowledged === 0);
  await client.close();
  const text = 'the client was closed: event 0: kafka_unavailable; the event was not stored';
  assert.equal(await end, text);
});

test('an event rejected with timeout may have been stored, even if it is rejected again', async () => {
  gateway.answer = () => refusal('kafka_unavailable');
  connect();
  const { connection, end } = await sent();
  connection.say(nack('timeout', 0));
  await until(() => gateway.bodies.length === 1 && client.status.unacknowledged === 0);
  await client.close();
  assert.match(await end, /kafka_unavailable; the event may have been stored$/);
});

test('an event whose connection was cut may have been stored', async () => {
  connect();
  const { connection, end } = await sent();
  gateway.blocked = true;
  gateway.admission = () => new Response(null, { status: 502 });
  connection.cut();
  await until(() => client.status.problem);
  await client.close();
  assert.match(await end, /the event may have been stored$/);
});

test('an event that was never sent: it was not stored, and why there was no connection', async () => {
  gateway.blocked = true;
  gateway.admission = () => new Response(null, { status: 401 });
  connect({ key: 'wrong' });
  const end = client.send({ id: 'a' }).catch(({ message }: SendError) => message);
  await until(() => /401/.test(client.status.problem ?? ''));
  await client.close();
  const why = 'the gateway rejects this key (HTTP 401)';
  assert.equal(await end, `the client was closed: ${why}; the event was not stored`);
});

for (const [what, answer, isStored] of [
  ['gets no answer', undefined, true],
  ['is answered 502 by a proxy', () => new Response('', { status: 502 }), true],
  ['is refused 401', () => error(401, 'unauthorized'), false],
  ['is refused 408', () => error(408, 'request_timeout'), false],
  ['is refused event by event', () => refusal('kafka_unavailable'), false],
  ['is refused timeout', () => refusal('timeout'), true],
] as const) {
  test(`a body that ${what} when the client closes: the event ${isStored ? 'may have been' : 'was not'} stored`, async () => {
    gateway.blocked = true;
    gateway.answer = () => answer?.();
    connect();
    const end = client.send({ id: 'a' }).catch(({ message }: SendError) => message);
    await until(() => gateway.bodies.length > 0 && client.status.unacknowledged === 0);
    await client.close();
    assert.match(String(await end), isStored ? /may have been stored$/ : /was not stored$/);
  });
}

for (const [what, urlOf, problem] of [
  ['refuses each connection', (port: string) => `ws://127.0.0.1:${port}/ws`, /ECONNREFUSED/],
  ['nothing knows', () => 'ws://no-such-host.invalid/ws', /ENOTFOUND|EAI_AGAIN/],
  ['has a port that no request may go to', () => 'ws://127.0.0.1:1/ws', /ECONNREFUSED|bad port/],
  ['does not speak TLS', (port: string) => `wss://127.0.0.1:${port}/ws`, /SSL/],
] as const) {
  test(`a host that ${what}: no body was sent, so nothing was stored`, async () => {
    // Each delay exceeds the close.
    mock.method(Math, 'random', () => 1);
    const { fetch } = globalThis;
    let failed = 0;
    mock.method(globalThis, 'fetch', async (url: string, request: RequestInit) => {
      try {
        return await fetch(url, request);
      } finally {
        if (request.body !== '[]') failed++;
      }
    });
    const url = urlOf(new URL(gateway.url).port);
    if (url.startsWith('ws:')) gateway.close();
    client = createClient({ url, webSocket: WebSocket });
    const end = client.send({ id: 'a' }).catch(({ message }: SendError) => message);
    await until(() => failed > 0 && client.status.unacknowledged === 0);
    await client.close();
    assert.match(String(await end), problem);
    assert.match(String(await end), /; the event was not stored$/);
  });
}

test('an event without room is reported with whether it may have been stored', async () => {
  const dropped: string[] = [];
  connect({ maxBufferedBytes: 20, onDropped: (_, { message }) => dropped.push(message) });
  const { connection } = await sent();
  gateway.blocked = true;
  connection.cut();
  await until(() => client.status.waiting === 1);
  for (const id of ['b', 'c', 'd']) void client.send({ id });
  assert.match(dropped[0] ?? '', /^the buffer is full: .*; the event may have been stored$/);
  assert.match(dropped[1] ?? '', /^the buffer is full: .*; the event was not stored$/);
});

function error(status: number, code: string): Response {
  return new Response(JSON.stringify({ error: { code, message: code } }), { status });
}

function refusal(code: string): object {
  const refused = { code, retry: true, retryAfterMs: 60_000, message: code, events: [[0, 0]] };
  return { accepted: 0, errors: [refused] };
}
