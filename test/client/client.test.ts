/** The client's protocol behavior, against a gateway controlled by the test. */
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

const PLENTY = 1_000_000;
let gateway: FakeGateway;
let client: Client | undefined;

beforeEach(async () => {
  gateway = await new FakeGateway().listen();
});
afterEach(() => {
  gateway.close();
  void client?.close();
});

function connect(options: Partial<ClientOptions> = {}): Client {
  const url = `${gateway.url.replace('http', 'ws')}ws`;
  client = createClient({ url, webSocket: WebSocket, ...options });
  return client;
}

/** The connection of this number, with this credit. */
async function opened(number = 1, frames = 64, bytes = PLENTY): Promise<FakeConnection> {
  const connection = await gateway.connection(number);
  connection.hello(frames, bytes);
  return connection;
}

/** Records the result of each event by its id. */
function fates<Id extends string>(sends: Readonly<Record<Id, Promise<void>>>) {
  const told: Partial<Record<Id, string>> = {};
  for (const [id, send] of Object.entries(sends) as [Id, Promise<void>][]) {
    send.then(
      () => {
        told[id] = 'stored';
      },
      ({ code }: SendError) => {
        told[id] = code;
      },
    );
  }
  return told;
}

const idsFrom = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => `e${first + index}`);

test('events of the same moment are one frame, in order, and stored with its ack', async () => {
  const { send } = bound(connect());
  const told = fates({ a: send('a'), b: send('b'), c: send('c') });
  const connection = await opened();
  await until(() => connection.frames.length === 1);
  assert.equal(connection.frames[0], '[{"id":"a"},{"id":"b"},{"id":"c"}]');
  assert.deepEqual(told, {});
  connection.say({ ack: 1 });
  await until(() => Object.keys(told).length === 3);
  assert.deepEqual(told, { a: 'stored', b: 'stored', c: 'stored' });
  assert.equal(connection.protocols, 'forebay.v1');
});

test('a key is sent as a second subprotocol', async () => {
  connect({ key: 'fbk_1.2-3' });
  const connection = await opened();
  assert.equal(connection.protocols, 'forebay.v1,forebay.key.fbk_1.2-3');
});

test('each connection and body has the current key, in any form of the option', async () => {
  let key: string | undefined;
  connect({ key: () => key });
  const first = await opened();
  assert.equal(first.protocols, 'forebay.v1');
  // Not valid in a subprotocol.
  key = 'a key';
  first.cut();
  await until(() => /contains invalid characters/.test(client!.status.problem ?? ''));
  key = 'fbk_2';
  const second = await opened(2);
  assert.equal(second.protocols, 'forebay.v1,forebay.key.fbk_2');
  await until(() => client!.status.state === 'open');
  const wrong = { url: 'ws://127.0.0.1:1/ws', key: 'a key', webSocket: WebSocket };
  assert.throws(() => createClient(wrong), SyntaxError, 'the caller learns of it');
});

test('an event without an id gets a UUID of version 7; one with an id keeps it', async () => {
  connect().send({ msg: 'x' });
  client!.send({ id: 7 });
  client!.send({});
  const connection = await opened();
  await until(() => connection.frames.length === 1);
  const [made, kept, alone] = connection.ids;
  const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  assert.match(made!, uuid);
  assert.equal(kept, 7);
  assert.match(alone!, uuid);
  assert.equal(JSON.parse(connection.frames[0]!)[0].msg, 'x');
});

test('the id is added in the field idField, or not at all if that is empty', async () => {
  for (const [number, idField] of ['eventId', 'constructor', ''].entries()) {
    connect({ idField });
    const connection = await opened(number + 1);
    for (const event of [{}, { id: 'kept' }, { [idField]: 'own' }]) void client!.send(event);
    await until(() => connection.frames.length === 1);
    const events = JSON.parse(connection.frames[0]!) as Record<string, string>[];
    if (idField === '') {
      assert.deepEqual(events, [{}, { id: 'kept' }, { '': 'own' }]);
    } else {
      for (const event of events.slice(0, 2)) assert.match(event[idField] ?? '', /^[0-9a-f-]{36}$/);
      assert.deepEqual(Object.keys(events[1]!).sort(), [idField, 'id'].sort());
      assert.deepEqual(events[2], { [idField]: 'own' });
    }
    void client?.close();
  }
});

test('no frame and no byte beyond the credit; the rest is sent when it rises', async () => {
  const { send } = bound(connect());
  const connection = await opened(1, 2, 100);
  await until(() => client!.status.state === 'open');
  for (const id of idsFrom(10, 29)) void send(id);
  // {"id":"e10"} has 12 bytes: seven and the brackets are 93.
  await until(() => connection.frames.length === 1);
  assert.deepEqual(connection.ids, idsFrom(10, 16));
  assert.deepEqual(client!.status.credit, { frames: 1, bytes: 8 });
  assert.equal(client!.status.waiting, 13);
  assert.equal(client!.status.unacknowledged, 7);
  connection.say({ ack: 1 });
  await until(() => client!.status.stored === 7);
  assert.equal(connection.frames.length, 1, 'an ack is no credit');
  connection.say({ credit: { frames: 2, bytes: PLENTY } });
  await until(() => connection.frames.length === 2);
  assert.deepEqual(connection.ids, idsFrom(10, 29));
  void send('e30');
  await until(() => client!.status.waiting === 1);
  connection.say({ credit: { frames: 3, bytes: PLENTY } });
  await until(() => connection.ids.at(-1) === 'e30');
});

test('frames stay within the limits of hello', async () => {
  const { send } = bound(connect());
  for (const id of idsFrom(10, 29)) void send(id);
  const connection = await gateway.connection(1);
  const credit = { frames: 64, bytes: PLENTY };
  connection.say({ hello: { maxFrameBytes: 40, maxFrameEvents: 1_000, credit } });
  await until(() => connection.ids.length === 20);
  assert(connection.frames.every((text) => text.length <= 40));
  assert.equal(connection.frames.length, 7, 'three events of 12 bytes, and brackets');
  await assert.rejects(send('x'.repeat(40)), { code: 'too_large' });
});

test('a permanent rejection is reported with its code, once; a retryable one is resent later', async () => {
  const refused: unknown[] = [];
  const onRefused = (event: object, { code }: SendError) => refused.push([event, code]);
  const { send } = bound(connect({ onRefused }));
  const told = fates({ a: send('a'), b: send('b'), c: send('c'), d: send('d') });
  const connection = await opened();
  await until(() => connection.frames.length === 1);
  const schema = { code: 'schema', retry: false, events: [[1, 1]], message: 'event 1: no msg' };
  const full = { code: 'buffer_full', retry: true, retryAfterMs: 300, events: [[2, 3]] };
  connection.say({ nack: 1, errors: [schema, { ...full, message: 'no room' }] });
  connection.say({ ack: 1 });
  await until(() => told.a && told.b);
  assert.deepEqual(told, { a: 'stored', b: 'schema' });
  assert.deepEqual(refused, [[{ id: 'b' }, 'schema']]);
  await until(() => connection.frames.length === 2);
  assert.equal(connection.frames[1], '[{"id":"c"},{"id":"d"}]');
  connection.say({ ack: 2 });
  await until(() => client!.status.stored === 3);
  assert.deepEqual(told, { a: 'stored', b: 'schema', c: 'stored', d: 'stored' });
});

test('a frame that could not be decoded is rejected as a whole', async () => {
  const { send } = bound(connect());
  const told = fates({ a: send('a'), b: send('b') });
  const connection = await opened();
  await until(() => connection.frames.length === 1);
  const errors = [{ code: 'too_many_events', retry: false, message: 'more than 1 events' }];
  connection.say({ nack: 1, errors });
  connection.say({ ack: 1 });
  await until(() => told.b);
  assert.deepEqual(told, { a: 'too_many_events', b: 'too_many_events' });
});

test('after a loss unacknowledged events are resent first, unchanged and in order, rejected ones are not', async () => {
  const { send } = bound(connect());
  const told = fates({ a: send('a'), b: send('b') });
  const first = await opened();
  await until(() => first.frames.length === 1);
  void send('c');
  void send('d');
  await until(() => first.frames.length === 2);
  const gone = { code: 'schema', retry: false, events: [[0, 0]], message: 'event 0: no' };
  first.say({ nack: 2, errors: [gone] });
  await until(() => client!.status.refused === 1);
  first.cut();
  await until(() => client!.status.state === 'connecting');
  void send('e');
  const second = await opened(2);
  await until(() => second.frames.length === 1);
  // The cut may be due to the length of a frame: half of it is sent first, alone.
  assert.deepEqual(second.ids, ['a']);
  second.say({ ack: 1 });
  await until(() => second.ids.length === 4);
  second.say({ ack: second.frames.length });
  assert.deepEqual(second.ids, ['a', 'b', 'd', 'e']);
  await until(() => client!.status.stored === 4);
  assert.deepEqual(told, { a: 'stored', b: 'stored' });
  assert.equal(client!.status.reconnects, 1);
});

test('goaway: nothing more is sent there, frames in flight are settled, the rest is sent on a new connection', async () => {
  const { send } = bound(connect());
  const told = fates({ a: send('a') });
  const first = await opened();
  await until(() => first.frames.length === 1);
  first.say({ goaway: { reason: 'restart', reconnectMs: 400 } });
  first.say({ credit: { frames: 100, bytes: PLENTY } });
  await until(() => client!.status.credit.frames > 64);
  const saidMs = performance.now();
  void send('b');
  first.say({ ack: 1 });
  await until(() => told.a);
  first.close(1012, 'restart');
  const second = await opened(2);
  assert(second.openedMs - saidMs > 300, `came back after ${second.openedMs - saidMs} ms`);
  await until(() => second.frames.length === 1);
  assert.equal(first.frames.length, 1);
  assert.deepEqual(second.ids, ['b']);
});

test('a full buffer: the oldest waiting events are dropped and reported, those in flight are not', async () => {
  const dropped: unknown[] = [];
  const onDropped = (event: object) => dropped.push(event);
  // Room for five of {"id":"e10"}.
  const { send } = bound(connect({ maxBufferedBytes: 60, onDropped }));
  const connection = await opened(1, 1, PLENTY);
  await until(() => client!.status.state === 'open');
  const sent = idsFrom(10, 11).map(send);
  await until(() => connection.frames.length === 1);
  const told = fates(Object.fromEntries(idsFrom(12, 16).map((id) => [id, send(id)])));
  await until(() => client!.status.dropped === 2);
  assert.deepEqual(dropped, [{ id: 'e12' }, { id: 'e13' }]);
  connection.say({ ack: 1 });
  connection.say({ credit: { frames: 2, bytes: PLENTY } });
  await Promise.all(sent);
  await until(() => connection.frames.length === 2);
  connection.say({ ack: 2 });
  await until(() => told.e16);
  const kept = { e14: 'stored', e15: 'stored', e16: 'stored' };
  assert.deepEqual(told, { e12: 'dropped', e13: 'dropped', ...kept });
  assert.equal(client!.status.bufferedBytes, 0);
});

test('a buffer full of events in flight: the new event is dropped', async () => {
  const { send } = bound(connect({ maxBufferedBytes: 30 }));
  const connection = await opened();
  await until(() => client!.status.state === 'open');
  const sent = [send('e10'), send('e11')];
  await until(() => connection.frames.length === 1);
  await assert.rejects(send('e12'), { code: 'dropped' });
  connection.say({ ack: 1 });
  await Promise.all(sent);
});

test('an event that cannot be sent is rejected by the call, without an unhandled rejection', async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', note);
  connect();
  const circular: { self?: object } = {};
  circular.self = circular;
  const wrong: readonly [unknown, string][] = [
    [circular, 'invalid_json'],
    [{ big: 1n }, 'invalid_json'],
    [{ text: 'x'.repeat(65_536) }, 'too_large'],
    [[], 'not_an_object'],
    [null, 'not_an_object'],
    ['text', 'not_an_object'],
    [undefined, 'not_an_object'],
    [() => {}, 'not_an_object'],
    [new Date(), 'not_an_object'],
  ];
  for (const [event, code] of wrong) {
    await assert.rejects(client!.send(event as object), { name: 'SendError', code });
    void client!.send(event as object);
  }
  assert.equal(client!.status.sent, 0);
  await new Promise(setImmediate);
  assert.deepEqual(unhandled, []);
  process.off('unhandledRejection', note);
});

test('flush: sends immediately, and waits until all earlier events are settled', async () => {
  const { send } = bound(connect());
  const connection = await opened();
  await until(() => client!.status.state === 'open');
  void send('a');
  let flushed = false;
  const flush = client!.flush().then(() => {
    flushed = true;
  });
  void send('b');
  await until(() => connection.ids.length === 2);
  assert.equal(connection.frames[0], '{"id":"a"}');
  assert.equal(flushed, false);
  connection.say({ ack: 1 });
  await flush;
  assert.equal(client!.status.unacknowledged, 1);
});

test('close: rejects further events, waits for those in flight, and closes the connection', async () => {
  const { send } = bound(connect());
  const told = fates({ a: send('a') });
  const connection = await opened();
  const closing = client!.close();
  await assert.rejects(send('b'), { code: 'closed' });
  await until(() => connection.frames.length === 1);
  connection.say({ ack: 1 });
  await closing;
  assert.deepEqual(told, { a: 'stored' });
  assert.equal(client!.status.state, 'closed');
  await until(() => connection.closed);
});

test('exceptions of the user’s functions do not affect the settlement of events', async () => {
  const thrown: string[] = [];
  process.setUncaughtExceptionCaptureCallback(({ message }) => thrown.push(message));
  const fail = (where: string) => () => {
    throw new Error(where);
  };
  const options = { onSent: fail('sent'), onRefused: fail('refused'), onDropped: fail('dropped') };
  // Room for three of {"id":"e10"}.
  const { send } = bound(connect({ ...options, maxBufferedBytes: 36 }));
  const told = fates<string>(Object.fromEntries(idsFrom(10, 13).map((id) => [id, send(id)])));
  const connection = await opened();
  await until(() => connection.frames.length === 1);
  const schema = { code: 'schema', retry: false, events: [[0, 0]], message: 'event 0: no' };
  const full = { code: 'buffer_full', retry: true, retryAfterMs: 10, events: [[1, 1]] };
  connection.say({ nack: 1, errors: [schema, { ...full, message: 'no room' }] });
  connection.say({ ack: 1 });
  await until(() => told.e13);
  assert.deepEqual({ ...told }, { e10: 'dropped', e11: 'schema', e13: 'stored' });
  await until(() => connection.frames.length === 2);
  connection.say({ ack: 2 });
  await until(() => told.e12);
  assert.deepEqual(connection.ids, ['e11', 'e12', 'e13', 'e12']);
  process.setUncaughtExceptionCaptureCallback(null);
  assert.deepEqual(thrown, ['dropped', 'sent', 'sent', 'sent', 'refused', 'sent']);
});

test('an event queued before hello that exceeds its limit is rejected, and blocks no other', async () => {
  const { send } = bound(connect());
  const long = 'x'.repeat(40);
  const told = fates({ [long]: send(long), a: send('a') });
  const connection = await gateway.connection(1);
  const credit = { frames: 64, bytes: PLENTY };
  connection.say({ hello: { maxFrameBytes: 40, maxFrameEvents: 1_000, credit } });
  await until(() => connection.frames.length === 1);
  assert.deepEqual(connection.ids, ['a']);
  connection.say({ ack: 1 });
  await until(() => told.a);
  assert.deepEqual(told, { [long]: 'too_large', a: 'stored' });
});

test('events unsettled at the close are reported so', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const { send } = bound(connect());
  const told = fates({ a: send('a') });
  const closing = client!.close();
  mock.timers.tick(10_000);
  await closing;
  mock.timers.reset();
  assert.deepEqual(told, { a: 'closed' });
  const { state, waiting, dropped, bufferedBytes } = client!.status;
  assert.deepEqual([state, waiting, dropped, bufferedBytes], ['closed', 0, 1, 0]);
});

test('a closed client has no timers that keep a process alive', async (t) => {
  const real = globalThis.setTimeout;
  let retry: NodeJS.Timeout | undefined;
  t.mock.method(globalThis, 'setTimeout', (late: () => void, ms: number) => {
    const timer = real(late, ms === 10_000 ? 1 : ms);
    if (ms === 100_000) retry = timer;
    return timer;
  });
  const clear = t.mock.method(globalThis, 'clearTimeout');
  const { send } = bound(connect());
  const told = fates({ a: send('a') });
  const connection = await opened();
  await until(() => connection.frames.length === 1);
  const later = { code: 'rate_limited', retry: true, retryAfterMs: 100_000 };
  connection.say({ nack: 1, errors: [{ ...later, message: 'later' }] });
  await until(() => retry !== undefined);
  await client!.close();
  assert.deepEqual(told, { a: 'closed' });
  assert(
    clear.mock.calls.some(({ arguments: [timer] }) => timer === retry),
    'nothing is to come',
  );
});

test('blocked WebSockets: events are sent by POST, in order, until a WebSocket opens', async () => {
  gateway.blocked = true;
  gateway.answer = (events) => ({ accepted: events.length, errors: [] });
  const { send } = bound(connect({ key: 'k' }));
  const told = fates({ a: send('a'), b: send('b') });
  await until(() => told.b);
  assert.deepEqual(told, { a: 'stored', b: 'stored' });
  assert.equal(client!.status.state, 'fallback');
  assert.equal(gateway.bodies[0]!.text, '[{"id":"a"},{"id":"b"}]');
  assert.equal(gateway.bodies[0]!.headers.authorization, 'Bearer k');
  gateway.blocked = false;
  const connection = await opened();
  await until(() => client!.status.state === 'open');
  void send('c');
  await until(() => connection.frames.length === 1);
  assert.equal(gateway.bodies.length, 1);
});

test('a WebSocket that opens while POST pauses after a failure is used immediately', async () => {
  let online: (() => void) | undefined;
  const listeners = { addEventListener: (_: string, handler: () => void) => (online = handler) };
  Object.assign(globalThis, listeners);
  // Short delays until a body is lost, then ten seconds.
  const random = mock.method(Math, 'random', () => 0.01);
  gateway.blocked = true;
  gateway.answer = () => void random.mock.mockImplementation(() => 0.999);
  const { send } = bound(connect());
  const told = fates({ a: send('a') });
  await until(() => /fetch failed/.test(client!.status.problem ?? ''), { everyMs: 1 });
  Reflect.deleteProperty(globalThis, 'addEventListener');
  gateway.blocked = false;
  online?.();
  const connection = await opened(gateway.connections + 1);
  await until(() => connection.frames.length === 1);
  connection.say({ ack: 1 });
  await until(() => told.a);
  assert.equal(gateway.bodies.length, 1);
  random.mock.restore();
});

test('by POST: rejections are reported, and unanswered events are resent', async () => {
  gateway.blocked = true;
  const schema = { code: 'schema', retry: false, events: [[0, 0]], message: 'event 0: no' };
  const full = { code: 'buffer_full', retry: true, retryAfterMs: 10, events: [[0, 0]] };
  const answers = [
    undefined,
    { accepted: 1, errors: [] },
    { accepted: 0, errors: [schema] },
    { accepted: 0, errors: [{ ...full, message: 'no room' }] },
    { accepted: 1, errors: [] },
  ];
  gateway.answer = () => answers[gateway.bodies.length - 1];
  const { send } = bound(connect());
  const told = fates({ a: send('a'), b: send('b'), c: send('c') });
  await until(() => told.c);
  assert.deepEqual(told, { a: 'stored', b: 'schema', c: 'stored' });
  const bodies = gateway.bodies.map(({ text }) => text);
  const [a, b, c] = ['{"id":"a"}', '{"id":"b"}', '{"id":"c"}'];
  assert.deepEqual(bodies, [`[${a},${b},${c}]`, `[${a}]`, `[${b}]`, `[${c}]`, `[${c}]`]);
});

test('without any WebSocket, as in Node.js 20, everything is sent by POST', async () => {
  gateway.answer = (events) => ({ accepted: events.length, errors: [] });
  const url = `${gateway.url.replace('http', 'ws')}below/ws?from=here`;
  const saved = globalThis.WebSocket;
  Reflect.deleteProperty(globalThis, 'WebSocket');
  try {
    client = createClient({ url });
    await client.send({ id: 'a' });
    await until(() => client!.status.state === 'fallback');
    assert.equal(gateway.bodies[0]!.path, '/below/events');
  } finally {
    if (saved !== undefined) globalThis.WebSocket = saved;
  }
});

test('a clock that is set back neither stops the client nor disorders the ids', async () => {
  connect();
  const connection = await opened();
  await until(() => client!.status.state === 'open');
  const now = Date.now();
  const clock = mock.method(Date, 'now', () => now);
  for (const at of [now, now - 3_600_000, now + 3_600_000, now - 3_600_000]) {
    clock.mock.mockImplementation(() => at);
    void client!.send({ at });
    void client!.send({ at });
  }
  await until(() => connection.ids.length === 8);
  clock.mock.restore();
  assert.deepEqual(connection.ids, [...connection.ids].sort());
  assert.equal(new Set(connection.ids).size, 8);
});

/** send() of an event with this id. */
function bound(made: Client) {
  return { send: (id: string) => made.send({ id }) };
}
