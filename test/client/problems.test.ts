/** Values of `status.problem` when WebSockets, or all connections, fail. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { WebSocket } from 'ws';
import { type Client, type ClientOptions, createClient } from '../../src/client/client.ts';
import { until } from '../../testing/wait.ts';
import { FakeGateway } from '../page/fake-gateway.ts';

let gateway: FakeGateway;
let client: Client;

beforeEach(async () => {
  gateway = await new FakeGateway().listen();
  gateway.answer = (events) => ({ accepted: events.length, errors: [] });
  // Delays are short, but none is omitted.
  mock.method(Math, 'random', () => 0.05);
});
afterEach(() => {
  mock.restoreAll();
  gateway.close();
  void client.close();
});

function connect(path: string, options: Partial<ClientOptions> = {}): void {
  const url = new URL(path, gateway.url.replace('http', 'ws')).href;
  client = createClient({ url, webSocket: WebSocket, ...options });
}

const isFallback = () => client.status.state === 'fallback' && client.status.stored > 0;

for (const [what, path, status] of [
  ['its path is wrong', '/wss', 400],
  ['a proxy forbids it', '/ws', 403],
] as const) {
  test(`POST works but WebSockets do not, since ${what}: status.problem gives the reason`, async () => {
    gateway.blocked = true;
    connect(path);
    void client.send({ id: 'a' });
    await until(isFallback);
    const problem = `WebSocket connections fail: 1006 Unexpected server response: ${status}`;
    assert.equal(client.status.problem, problem);
    void client.send({ id: 'b' });
    await client.flush();
    assert.equal(client.status.problem, problem, 'after each body');
    if (path !== '/ws') return;
    gateway.blocked = false;
    const connection = await gateway.connection(1);
    connection.hello(64, 100_000);
    await until(() => client.status.state === 'open');
    assert.equal(client.status.problem, undefined);
  });
}

test('a platform without WebSocket: status.problem says so in state fallback', async () => {
  const saved = Object.getOwnPropertyDescriptor(globalThis, 'WebSocket');
  Reflect.deleteProperty(globalThis, 'WebSocket');
  client = createClient({ url: `${gateway.url}ws` });
  if (saved) Object.defineProperty(globalThis, 'WebSocket', saved);
  void client.send({ id: 'a' });
  await until(isFallback);
  assert.match(client.status.problem ?? '', /^WebSocket connections fail: no WebSocket class/);
});

test('a stuck event is reported along with the reason of the WebSocket failure', async () => {
  gateway.blocked = true;
  gateway.answer = (events) =>
    events.some(({ id }) => id === 'long')
      ? new Response('no', { status: 502 })
      : { accepted: events.length, errors: [] };
  connect('/ws');
  for (const id of ['a', 'long', 'b']) void client.send({ id });
  await until(() => /one of 13 bytes/.test(client.status.problem ?? ''));
  assert.match(
    client.status.problem ?? '',
    /^WebSocket connections fail: .*; other events get through/,
  );
});

test('an unknown host, or a refused connection: status.problem has the cause from Node.js', async () => {
  // Its port is free: the gateway of this test has exited.
  const url = `${gateway.url.replace('http', 'ws')}ws`;
  gateway.close();
  client = createClient({ url, webSocket: WebSocket });
  const told = new Set<string>();
  await until(() => told.add(client.status.problem ?? '') && told.size >= 2);
  for (const text of told) if (text) assert.match(text, /connect ECONNREFUSED 127\.0\.0\.1:\d+/);
  void client.close();
  client = createClient({ url: 'ws://no-such-host.invalid/ws', webSocket: WebSocket });
  await until(() => /getaddrinfo (ENOTFOUND|EAI_AGAIN)/.test(client.status.problem ?? ''));
});

for (const [what, error, text] of [
  [
    'a cause',
    new TypeError('fetch failed', { cause: new Error('the disk is full') }),
    /fetch failed: the disk is full$/,
  ],
  [
    'several errors',
    new AggregateError([new Error('first'), new Error('second')]),
    /failed: first$/,
  ],
  ['itself as its cause', selfCaused(), /failed: round: round/],
  ['a line end', new Error('no network\n'), /failed: no network$/],
  ['no message', new Error(''), /failed: Error$/],
] as const) {
  test(`a key function that fails with ${what}: status.problem has it`, async () => {
    connect('/ws', { key: () => Promise.reject(error) });
    await until(() => client.status.problem);
    assert.match(client.status.problem ?? '', text);
  });
}

function selfCaused(): Error {
  const error = new Error('round');
  error.cause = error;
  return error;
}
