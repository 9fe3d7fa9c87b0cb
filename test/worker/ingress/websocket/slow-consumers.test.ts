import assert from 'node:assert/strict';
import { beforeEach, type TestContext, test } from 'node:test';
import { LIMITS } from '../../../../src/config/limits.ts';
import { SlowConsumers } from '../../../../src/worker/ingress/websocket/slow-consumers.ts';

const LITTLE = LIMITS.unreadBytes;
const MUCH = LIMITS.unreadBytes + 1;

/** A connection with this many unread bytes. */
interface Connection {
  bytes: number;
  getBufferedAmount(): number;
}
function connection(bytes: number): Connection {
  return {
    bytes,
    getBufferedAmount() {
      return this.bytes;
    },
  };
}

let stalled: Connection[];
let consumers: SlowConsumers<Connection>;
beforeEach((t) => {
  stalled = [];
  consumers = new SlowConsumers((socket) => stalled.push(socket));
  assert('mock' in t);
  t.mock.timers.enable({ apis: ['setTimeout'] });
});

test('a connection that reads nothing is reported once, others are not', (t) => {
  const [bad, good] = [connection(MUCH), connection(LITTLE)];
  for (let look = 0; look < 3; look++) for (const socket of [bad, good]) consumers.check(socket);
  t.mock.timers.tick(LIMITS.unreadMs - 1);
  assert.deepEqual(stalled, []);
  t.mock.timers.tick(1);
  assert.deepEqual(stalled, [bad]);
  t.mock.timers.tick(10 * LIMITS.unreadMs);
  assert.deepEqual(stalled, [bad]);
});

test('neither further writes nor a drain of another connection restart the timer', (t) => {
  const [bad, other] = [connection(MUCH), connection(MUCH)];
  for (const socket of [bad, other]) consumers.check(socket);
  for (let turn = 0; turn < 10; turn++) {
    t.mock.timers.tick(LIMITS.unreadMs / 10);
    if (turn === 9) break;
    bad.bytes += 1_000;
    consumers.check(bad);
    consumers.drained(other);
  }
  assert.deepEqual(stalled, [bad]);
});

/** Reads something at every turn, less than a stall apart. */
function takeNowAndThen(t: TestContext, socket: Connection, turns: number, bytes: number): void {
  for (let turn = 0; turn < turns; turn++) {
    t.mock.timers.tick(LIMITS.unreadMs - 1);
    socket.bytes -= bytes;
    consumers.drained(socket);
    consumers.check(socket);
  }
}

test('a client that reads a byte now and then is stalled after backlogMs, however often it drains', (t) => {
  const socket = connection(4 * LITTLE);
  consumers.check(socket);
  const turns = Math.floor(LIMITS.backlogMs / LIMITS.unreadMs);
  takeNowAndThen(t, socket, turns, 1);
  assert.deepEqual(stalled, []);
  t.mock.timers.tick(turns);
  assert.deepEqual(stalled, [socket]);
  t.mock.timers.tick(10 * LIMITS.backlogMs);
  assert.deepEqual(stalled, [socket], 'once');
});

test('a client that reads slowly and stalls does not get all of backlogMs', (t) => {
  const socket = connection(4 * LITTLE);
  consumers.check(socket);
  takeNowAndThen(t, socket, 2, 1);
  t.mock.timers.tick(LIMITS.unreadMs);
  assert.deepEqual(stalled, [socket]);
});

for (const [title, seen] of [
  ['a drain', (socket: Connection) => consumers.drained(socket)],
  ['the next write', (socket: Connection) => consumers.check(socket)],
] as const) {
  test(`a slow client that keeps up, as ${title} shows, is never stalled`, (t) => {
    const socket = connection(0);
    const turns = Math.floor(LIMITS.backlogMs / LIMITS.unreadMs);
    for (let round = 0; round < 20; round++) {
      socket.bytes = 4 * LITTLE;
      consumers.check(socket);
      takeNowAndThen(t, socket, turns, LITTLE / 2);
      socket.bytes = LITTLE;
      seen(socket);
    }
    t.mock.timers.tick(10 * LIMITS.backlogMs);
    assert.deepEqual(stalled, []);
  });
}

test('a client that has read enough is not watched until it leaves too much unread again', (t) => {
  const socket = connection(MUCH);
  consumers.check(socket);
  socket.bytes = 0;
  consumers.drained(socket);
  t.mock.timers.tick(10 * LIMITS.unreadMs);
  assert.deepEqual(stalled, []);
  socket.bytes = MUCH;
  consumers.check(socket);
  t.mock.timers.tick(LIMITS.unreadMs);
  assert.deepEqual(stalled, [socket]);
});

test('a connection that has ended is dropped', (t) => {
  const socket = connection(MUCH);
  consumers.check(socket);
  consumers.remove(socket);
  t.mock.timers.tick(10 * LIMITS.unreadMs);
  consumers.drained(socket);
  assert.deepEqual(stalled, []);
});
