/** A gateway that rejects the client: it is reported, rarely retried, and events are kept. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { WebSocket } from 'ws';
import { type Client, type ClientOptions, createClient } from '../../src/client/client.ts';
import { until } from '../../testing/wait.ts';
import { FakeGateway } from '../page/fake-gateway.ts';

const answer = (status: number, code: string) => () =>
  new Response(JSON.stringify({ error: { code, message: 'said by the gateway' } }), { status });
const stored = (events: readonly object[]) => ({ accepted: events.length, errors: [] });

let gateway: FakeGateway;
let client: Client;
let told: [id: unknown, code: string, retry: boolean, message: string][];

beforeEach(async () => {
  gateway = await new FakeGateway().listen();
  told = [];
});
afterEach(async () => {
  mock.restoreAll();
  gateway.close();
  void client?.close();
});

function connect(options: Partial<ClientOptions> = {}): void {
  const url = `${gateway.url.replace('http', 'ws')}ws`;
  const onRefused: ClientOptions['onRefused'] = (event, { code, retry, message }) =>
    told.push([(event as { id: unknown }).id, code, retry, message]);
  client = createClient({ url, webSocket: WebSocket, onRefused, ...options });
}

/** Handshakes and bodies are answered like this. */
function refuse(status: number, code: string): void {
  gateway.blocked = true;
  gateway.admission = answer(status, code);
  gateway.answer = answer(status, code);
}

function accept(): void {
  gateway.blocked = false;
  gateway.admission = () => stored([]);
  gateway.answer = stored;
}

for (const [what, status, code, key, problem] of [
  ['a wrong key', 401, 'unauthorized', 'wrong', /rejects this key \(HTTP 401\)/],
  ['no key', 401, 'unauthorized', undefined, /requires a key, but the client has none/],
  ['a key function that returns none', 401, 'unauthorized', () => undefined, /has none/],
  ['a forbidden origin', 403, 'forbidden_origin', undefined, /rejects .*HTTP 403/],
  ['an answer 401 of a proxy', 401, '', 'wrong', /HTTP 401/],
] as const) {
  test(`${what}: status.problem says so before any event, onRefused of the first one, once`, async () => {
    refuse(status, code);
    connect({ key });
    await until(() => problem.test(client.status.problem ?? ''));
    assert.deepEqual(told, []);
    void client.send({ id: 'a' });
    void client.send({ id: 'b' });
    const [id, toldCode, retry, message] = told[0] ?? [];
    const expected = status === 401 ? 'unauthorized' : 'forbidden_origin';
    assert.deepEqual([told.length, id, toldCode, retry], [1, 'a', expected, true]);
    assert.match(message!, problem);
    const { state, refused, bufferedBytes } = client.status;
    assert.deepEqual([state, refused, bufferedBytes], ['connecting', 0, 20]);
    accept();
    const flushed = client.flush();
    const connection = await gateway.connection(1);
    connection.hello(64, 1_000_000);
    await until(() => connection.ids.length === 2);
    connection.say({ ack: connection.frames.length });
    await flushed;
    assert.equal(client.status.stored, 2);
    assert.equal(client.status.problem, undefined);
  });
}

test('it retries rarely while it is rejected, by WebSocket and by POST', async () => {
  refuse(401, 'unauthorized');
  connect({ key: 'wrong' });
  for (const id of ['a', 'b', 'c']) void client.send({ id });
  await until(() => told.length === 1);
  const count = () => gateway.checks + gateway.bodies.length;
  // The first rejection may be told while the other transport still asks.
  let [asked, begunMs] = [count(), performance.now()];
  await until(() => {
    if (count() > asked) [asked, begunMs] = [count(), performance.now()];
    return performance.now() - begunMs > 500;
  });
  await until(() => count() > asked);
  assert(performance.now() - begunMs > 2_000, 'not before seconds have passed');
  assert.equal(gateway.bodies.length, 0, 'no events are sent in vain');
  assert.equal(told.length, 1);
});

for (const [what, keys] of [
  ['returns another key', ['old', 'new']],
  ['promises another key', [Promise.resolve('old'), Promise.resolve('new')]],
  ['throws before', ['old', new Error('no network'), 'new']],
  ['rejects before', ['old', () => Promise.reject(new Error('no network')), 'new']],
  ['returns the same wrong key before', ['old', 'old', 'new']],
] as const) {
  test(`a key function that ${what}: events wait until its key is accepted`, async () => {
    // Delays are short, but none is omitted.
    mock.method(Math, 'random', () => 0.2);
    const given: unknown[] = [];
    // Each attempt needs two requests: the handshake, and the check of its failure.
    const left: unknown[] = keys.flatMap((key) => [key, key]);
    const key = () => {
      const next = left.length > 1 ? left.shift() : left[0];
      given.push(next);
      if (next instanceof Error) throw next;
      return (typeof next === 'function' ? next() : next) as string;
    };
    gateway.accepts = (used) => used === 'new';
    gateway.answer = stored;
    connect({ key });
    const problems = new Set<string>();
    void client.send({ id: 'a' });
    await until(
      () => {
        problems.add(client.status.problem ?? '');
        return gateway.connections === 1;
      },
      { deadlineMs: 60_000 },
    );
    const connection = await gateway.connection(1);
    connection.hello(64, 100_000);
    await until(() => connection.ids.length === 1);
    assert.deepEqual(connection.ids, ['a']);
    assert.match([...problems].join(), /rejects this key/);
  });
}

test('a key function that throws at first does not prevent the creation of the client', async () => {
  let calls = 0;
  const key = () => {
    if (++calls === 1) throw new Error('not logged in');
    return 'new';
  };
  gateway.accepts = (used) => used === 'new';
  connect({ key });
  assert.match(client.status.problem ?? '', /the key function failed: not logged in/);
  const connection = await gateway.connection(1);
  assert.equal(connection.protocols, 'forebay.v1,forebay.key.new');
});

test('without a WebSocket, a 401 to a body is reported, nothing is lost, and it continues when accepted', async () => {
  const saved = Object.getOwnPropertyDescriptor(globalThis, 'WebSocket');
  Reflect.deleteProperty(globalThis, 'WebSocket');
  refuse(401, 'unauthorized');
  client = createClient({
    url: `${gateway.url.replace('http', 'ws')}ws`,
    key: 'wrong',
    onRefused: (_, { code, retry, message }) => told.push(['', code, retry, message]),
  });
  const sent = [client.send({ id: 'a' }), client.send({ id: 'b' })];
  await until(() => told.length === 1);
  const { length } = gateway.bodies;
  accept();
  await Promise.all([client.flush(), ...sent]);
  assert.equal(gateway.bodies.length, length + 1);
  assert.deepEqual(gateway.bodies.at(-1)!.text, '[{"id":"a"},{"id":"b"}]');
  if (saved) Object.defineProperty(globalThis, 'WebSocket', saved);
});

test('events of a rejected client are dropped above the limit, with the reason', async () => {
  const dropped: string[] = [];
  refuse(401, 'unauthorized');
  connect({
    key: 'wrong',
    maxBufferedBytes: 25,
    onDropped: (_, { message }) => dropped.push(message),
  });
  await until(() => /HTTP 401/.test(client.status.problem ?? ''));
  for (const id of ['a', 'b', 'c']) void client.send({ id });
  assert.match(dropped.join(), /^the buffer is full: the gateway rejects this key/);
  assert.equal(client.status.dropped, 1);
});

test('a revoked key closes the connection: it is reported, and the next key is used', async () => {
  let key = 'first';
  gateway.accepts = (used) => used === key;
  connect({ key: () => key });
  const first = await gateway.connection(1);
  first.hello(64, 100_000);
  await until(() => client.status.state === 'open');
  key = 'second';
  const problems: (string | undefined)[] = [];
  first.close(1008, 'unauthorized');
  await until(() => {
    problems.push(client.status.problem);
    return gateway.connections === 2;
  });
  assert((problems as unknown[]).includes('1008 unauthorized'), `${new Set(problems)}`);
  const second = await gateway.connection(2);
  assert.equal(second.protocols, 'forebay.v1,forebay.key.second');
});
