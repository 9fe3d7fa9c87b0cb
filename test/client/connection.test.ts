/** What takes minutes by the clock: a WebSocket that says nothing, on a clock of the test's own. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Connection, type WebSocketLike } from '../../src/client/connection.ts';
import type { Entry } from '../../src/client/entry.ts';
import { Outbox } from '../../src/client/outbox.ts';

/** A socket that is open and dead. */
class DeadSocket implements WebSocketLike {
  onmessage: unknown;
  onclose: unknown;
  onerror: unknown;
  readonly sent: string[] = [];
  closed = false;
  send(text: string): void {
    this.sent.push(text);
  }
  close(): void {
    this.closed = true;
  }
  say(frame: object): void {
    (this.onmessage as (event: { data: string }) => void)({ data: JSON.stringify(frame) });
  }
}

let socket: DeadSocket;
let outbox: Outbox;
let lost: (number | undefined)[];
let connection: Connection;
let advance: (ms: number) => void;
const entry: Entry = { event: {}, text: '{}', bytes: 2, attempts: 0, stored() {}, failed() {} };
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
  outbox = new Outbox(1_000);
  lost = [];
  const events = {
    opened() {},
    sent() {},
    heard: () => connection.pump(),
    stored: (stored: Entry) => void outbox.done(stored),
    refused() {},
    acknowledged() {},
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
  connection = new Connection(socketClass, 'ws://x', undefined, outbox, events);
});

test('no hello within 15 s: it is given up', () => {
  advance(14_000);
  assert.deepEqual(lost, []);
  advance(7_000);
  assert.deepEqual(lost, [undefined]);
  assert(socket.closed, 'the socket is closed');
});

test('an idle connection is left alone, one that owes an ack is given up after 150 s', () => {
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

test('a server that said goaway and never closes is left 10 s after its clients were to be back', () => {
  socket.say(hello);
  socket.say({ goaway: { reason: 'restart', reconnectMs: 5_000 } });
  advance(14_000);
  assert.deepEqual(lost, []);
  advance(7_000);
  assert.deepEqual(lost, [0]);
});
