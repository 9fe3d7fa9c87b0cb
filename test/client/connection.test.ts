/**
 * A WebSocket that is silent for minutes, on a virtual clock, or sends frames that no gateway
 * would.
 */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Connection, type WebSocketLike } from '../../src/client/connection.ts';
import { type Entry, progress } from '../../src/client/entry.ts';
import { Outbox } from '../../src/client/outbox.ts';
import { SizeLimit } from '../../src/client/size-limit.ts';

/** A socket that is open and dead. */
class DeadSocket implements WebSocketLike {
  onmessage: unknown;
  onclose: unknown;
  onerror: unknown;
  readonly sent: string[] = [];
  readyState = 1;
  closed = false;
  send(text: string): void {
    this.sent.push(text);
  }
  close(): void {
    this.closed = true;
  }
  say(frame: object): void {
    this.sayRaw(JSON.stringify(frame));
  }
  sayRaw(data: unknown): void {
    (this.onmessage as (event: { data: unknown }) => void)({ data });
  }
}

let socket: DeadSocket;
let outbox: Outbox;
let lost: (number | undefined)[];
let told: string[];
let connection: Connection;
let advance: (ms: number) => void;
const entry: Entry = { event: {}, text: '{}', bytes: 2, ...progress(), stored() {}, failed() {} };
const hello = {
  hello: { maxFrameBytes: 1_000, maxFrameEvents: 10, credit: { frames: 9, bytes: 9_000 } },
};

beforeEach((t) => {
  const { mock } = t as unknown as import('node:test').TestContext;
  mock.timers.enable({ apis: ['setInterval'] });
  let now = 1_000;
  mock.method(performance, 'now', () => now);
  advance = (ms) => {
    for (let passed = 0; passed < ms; passed += 1_000) {
      now += 1_000;
      mock.timers.tick(1_000);
    }
  };
  Object.assign(entry, progress());
  outbox = new Outbox(1_000);
  lost = [];
  told = [];
  const events = {
    opened: () => void told.push('opened'),
    sent: (_: Entry) => void told.push('sent'),
    received: () => connection.pump(),
    stored: (stored: Entry) => void (outbox.done(stored) && told.push('stored')),
    refused: (_: Entry, { code }: { code: string }) => void told.push(code),
    acknowledged() {},
    stuck() {},
    left() {},
    lost: (reconnectMs: number | undefined) => void lost.push(reconnectMs),
  };
  socket = new DeadSocket();
  const made = socket;
  const socketClass = class {
    constructor() {
      // biome-ignore lint/correctness/noConstructorReturn: the test holds it
      return made;
    }
  } as unknown as new () => WebSocketLike;
  connection = new Connection(
    socketClass,
    'ws://x',
    undefined,
    new SizeLimit(1_000, 1_000),
    outbox,
    events,
  );
});

test('no hello within 15 s: the connection is closed', () => {
  advance(14_000);
  assert.deepEqual(lost, []);
  advance(7_000);
  assert.deepEqual(lost, [undefined]);
  assert(socket.closed, 'the socket is closed');
});

test('an idle connection stays open, one that owes an ack is closed after 150 s', () => {
  socket.say(hello);
  advance(3_600_000);
  assert.deepEqual(lost, []);
  outbox.add(entry);
  connection.pump();
  assert.equal(socket.sent.length, 1);
  advance(149_000);
  assert.deepEqual(lost, []);
  advance(7_000);
  assert.deepEqual(lost, [undefined]);
  assert.equal(outbox.waiting, 1, 'the event waits for the next');
});

test('a server that sent goaway and never closes is closed 10 s after the reconnect time', () => {
  socket.say(hello);
  socket.say({ goaway: { reason: 'restart', reconnectMs: 5_000 } });
  advance(14_000);
  assert.deepEqual(lost, []);
  advance(7_000);
  assert.deepEqual(lost, [0]);
});

/** Three events, in frames 1 (two of them) and 2, without an ack. */
function threeSent(): void {
  socket.say(hello);
  for (const frame of [['a', 'b'], ['c']]) {
    for (const id of frame) outbox.add({ ...entry, text: `{"id":"${id}"}`, bytes: 10 });
    connection.pump();
  }
  assert.deepEqual(socket.sent, ['[{"id":"a"},{"id":"b"}]', '{"id":"c"}']);
  told = [];
}

const schema = { code: 'schema', retry: false, message: 'event 0: no msg' };
const full = { code: 'buffer_full', retry: true, retryAfterMs: 400, message: 'no room' };
const nack = (...errors: unknown[]) => JSON.stringify({ nack: 1, errors });
const { maxFrameBytes, credit } = hello.hello;

for (const [what, data] of Object.entries({
  'text that is not JSON': '<html><body>Sign in to the network</body></html>',
  'a part of a frame': '{"ack":',
  nothing: '',
  null: 'null',
  'a number': '1',
  'a text': '"ack"',
  'a list': '[{"ack":1}]',
  'a binary message': new ArrayBuffer(4),
  'a Buffer with a frame': Buffer.from('{"ack":1}'),
  'an ack that is a text': '{"ack":"1"}',
  'an ack that is null': '{"ack":null}',
  'an ack of half a frame': '{"ack":1.5}',
  'an ack of less than nothing': '{"ack":-1}',
  'an ack beyond what was sent': '{"ack":3}',
  'a second hello': JSON.stringify(hello),
  'a credit that is a number': '{"credit":5}',
  'a credit that is null': '{"credit":null}',
  'a credit without bytes': '{"credit":{"frames":99}}',
  'a credit of no number': '{"credit":{"frames":"99","bytes":99999}}',
  'a goaway that is null': '{"goaway":null}',
  'a goaway without a time': '{"goaway":{"reason":"restart"}}',
  'a goaway to the past': '{"goaway":{"reason":"restart","reconnectMs":-1}}',
  'a goaway beyond what timers take': '{"goaway":{"reason":"restart","reconnectMs":2147483648}}',
  'a nack of a frame beyond what was sent': JSON.stringify({ nack: 3, errors: [schema] }),
  'a nack that is a text': JSON.stringify({ nack: '1', errors: [schema] }),
  'a nack without errors': '{"nack":1}',
  'a nack with errors that are a text': '{"nack":1,"errors":"schema"}',
  'an error that is null': nack(schema, null),
  'an error without a code': nack({ retry: false, message: '' }),
  'an error that does not say whether to send again': nack({ code: 'schema', message: '' }),
  'an error to be sent again without a time': nack({ ...full, retryAfterMs: undefined }),
  'an error to be sent again at no time': nack({ ...full, retryAfterMs: 'soon' }),
  'an error of events that are no list': nack({ ...schema, events: '0' }),
  'an error for a nonexistent event': nack({ ...schema, events: [[0, 2]] }),
  'an error of events before the first': nack({ ...schema, events: [[-1, 0]] }),
  'an error of no range': nack({ ...schema, events: [[0, 0], null] }),
  'an error of half a range': nack({ ...schema, events: [[0]] }),
})) {
  test(`${what} ends the connection, and settles no event`, () => {
    threeSent();
    socket.sayRaw(data);
    assert.deepEqual(lost, [undefined]);
    assert(socket.closed, 'the socket is closed');
    assert.deepEqual(told, []);
    assert.equal(outbox.waiting, 3, 'all wait for the next');
    socket.say({ ack: 2 });
    assert.deepEqual(told, [], 'later frames are ignored');
    assert.deepEqual(connection.credit.frames, 7, 'nor was its credit');
  });
}

for (const [what, wrong] of Object.entries({
  'without bounds': {},
  'that is null': null,
  'without a credit': { maxFrameBytes, maxFrameEvents: 10 },
  'with a bound that is no number': { ...hello.hello, maxFrameBytes: '1000' },
  'with room for no event': { ...hello.hello, maxFrameEvents: 0 },
  'with a credit of no number': { ...hello.hello, credit: { ...credit, bytes: null } },
})) {
  test(`a hello ${what} opens nothing`, () => {
    outbox.add(entry);
    socket.sayRaw(JSON.stringify({ hello: wrong }));
    assert.deepEqual([told, lost], [[], [undefined]]);
    assert(!connection.open, 'it is not open');
    assert.equal(connection.maxEventBytes, undefined);
  });
}

test('unknown frames, and unknown fields of known ones, are ignored', () => {
  threeSent();
  for (const frame of [{}, { weather: 5 }, { weather: 5, ack: 2 }, { weather: { ack: 2 } }]) {
    socket.say(frame);
  }
  assert.deepEqual([told, lost], [[], []]);
  socket.say({ ack: 1, weather: 'x' });
  assert.deepEqual([told, lost], [['stored', 'stored'], []]);
  socket.say({ ack: 1 });
  assert.deepEqual([told, lost], [['stored', 'stored'], []], 'an ack that says nothing new');
});

test('a decreasing credit is ignored: it only increases', () => {
  threeSent();
  const rises = { frames: 20, bytes: 20_000 };
  for (const said of [{ frames: 1, bytes: 1 }, rises, { frames: 30, bytes: 5 }, rises]) {
    socket.say({ credit: said });
  }
  assert.deepEqual([told, lost], [[], []]);
  assert.deepEqual(connection.credit, { frames: 28, bytes: 20_000 - 33 });
});

test('an event named by a nack is not reported as stored, whatever a second one says', () => {
  threeSent();
  socket.sayRaw(nack({ ...full, events: [[0, 0]] }));
  socket.sayRaw(nack({ ...schema, events: [[1, 1]] }));
  socket.say({ ack: 1 });
  assert.deepEqual([told, lost], [['buffer_full', 'schema'], []]);
});

test('a closing socket gets no frames: the event waits and does not count as sent', () => {
  socket.say(hello);
  outbox.add(entry);
  socket.readyState = 2;
  connection.pump();
  assert.deepEqual([socket.sent, told, outbox.waiting], [[], ['opened'], 1]);
  socket.readyState = 1;
  connection.pump();
  assert.deepEqual([socket.sent, told, outbox.waiting], [['{}'], ['opened', 'sent'], 0]);
});
