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
let watch: SlowConsumers<Connection>;
beforeEach((t) => {
  stalled = [];
  watch = new SlowConsumers((socket) => stalled.push(socket));
  assert('mock' in t);
  t.mock.timers.enable({ apis: ['setTimeout'] });
});

test('a connection that takes nothing is reported once, others are not', (t) => {
  const [bad, good] = [connection(MUCH), connection(LITTLE)];
  for (let look = 0; look < 3; look++) for (const socket of [bad, good]) watch.check(socket);
  t.mock.timers.tick(LIMITS.unreadMs - 1);
  assert.deepEqual(stalled, []);
  t.mock.timers.tick(1);
  assert.deepEqual(stalled, [bad]);
  t.mock.timers.tick(10 * LIMITS.unreadMs);
  assert.deepEqual(stalled, [bad]);
});

test('neither further writes nor a drain of another connection restart the time', (t) => {
  const [bad, other] = [connection(MUCH), connection(MUCH)];
  for (const socket of [bad, other]) watch.check(socket);
  for (let turn = 0; turn < 10; turn++) {
    t.mock.timers.tick(LIMITS.unreadMs / 10);
    if (turn === 9) break;
    bad.bytes += 1_000;
    watch.check(bad);
    watch.drained(other);
  }
  assert.deepEqual(stalled, [bad]);
});

/** Takes something at every turn, less than a stall apart. */
function takeNowAndThen(t: TestContext, socket: Connection, turns: number, bytes: number): void {
  for (let turn = 0; turn < turns; turn++) {
    t.mock.timers.tick(LIMITS.unreadMs - 1);
    socket.bytes -= bytes;
    watch.drained(socket);
    watch.check(socket);
  }
}

test('a client that reads a byte now and then is stalled after backlogMs, not at each drain anew', (t) => {
  const socket = connection(4 * LITTLE);
  watch.check(socket);
  const turns = Math.floor(LIMITS.backlogMs / LIMITS.unreadMs);
  takeNowAndThen(t, socket, turns, 1);
  assert.deepEqual(stalled, []);
  t.mock.timers.tick(turns);
  assert.deepEqual(stalled, [socket]);
  t.mock.timers.tick(10 * LIMITS.backlogMs);
  assert.deepEqual(stalled, [socket], 'once');
});

test('a client that reads slowly and stalls is not given all of backlogMs', (t) => {
  const socket = connection(4 * LITTLE);
  watch.check(socket);
  takeNowAndThen(t, socket, 2, 1);
  t.mock.timers.tick(LIMITS.unreadMs);
  assert.deepEqual(stalled, [socket]);
});

for (const [title, seen] of [
  ['a drain', (socket: Connection) => watch.drained(socket)],
  ['the next write', (socket: Connection) => watch.check(socket)],
] as const) {
  test(`a slow client that keeps up, as ${title} shows, is never stalled`, (t) => {
    const socket = connection(0);
    const turns = Math.floor(LIMITS.backlogMs / LIMITS.unreadMs);
    for (let round = 0; round < 20; round++) {
      socket.bytes = 4 * LITTLE;
      watch.check(socket);
      takeNowAndThen(t, socket, turns, LITTLE / 2);
      socket.bytes = LITTLE;
      seen(socket);
    }
    t.mock.timers.tick(10 * LIMITS.backlogMs);
    assert.deepEqual(stalled, []);
  });
}

test('a client that has read enough is not watched until it leaves much unread again', (t) => {
  const socket = connection(MUCH);
  watch.check(socket);
  socket.bytes = 0;
  watch.drained(socket);
  t.mock.timers.tick(10 * LIMITS.unreadMs);
  assert.deepEqual(stalled, []);
  socket.bytes = MUCH;
  watch.check(socket);
  t.mock.timers.tick(LIMITS.unreadMs);
  assert.deepEqual(stalled, [socket]);
});

test('a connection that has ended is forgotten', (t) => {
  const socket = connection(MUCH);
  watch.check(socket);
  watch.forget(socket);
  t.mock.timers.tick(10 * LIMITS.unreadMs);
  watch.drained(socket);
  assert.deepEqual(stalled, []);
});
