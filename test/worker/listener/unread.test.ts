import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { LIMITS } from '../../../src/limits.ts';
import { UnreadWatch } from '../../../src/worker/listener/unread.ts';

const LITTLE = LIMITS.unreadBytes;
const MUCH = LIMITS.unreadBytes + 1;

/** A connection of which so many bytes lie unread. */
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
let watch: UnreadWatch<Connection>;
beforeEach((t) => {
  stalled = [];
  watch = new UnreadWatch((socket) => stalled.push(socket));
  assert('mock' in t);
  t.mock.timers.enable({ apis: ['setTimeout'] });
});

test('a connection that takes nothing is told of once, others are not', (t) => {
  const [bad, good] = [connection(MUCH), connection(LITTLE)];
  for (let look = 0; look < 3; look++) for (const socket of [bad, good]) watch.look(socket);
  t.mock.timers.tick(LIMITS.unreadMs - 1);
  assert.deepEqual(stalled, []);
  t.mock.timers.tick(1);
  assert.deepEqual(stalled, [bad]);
  t.mock.timers.tick(10 * LIMITS.unreadMs);
  assert.deepEqual(stalled, [bad]);
});

test('more that is written does not put it off, nor does a drain of another one', (t) => {
  const [bad, other] = [connection(MUCH), connection(MUCH)];
  for (const socket of [bad, other]) watch.look(socket);
  for (let turn = 0; turn < 10; turn++) {
    t.mock.timers.tick(LIMITS.unreadMs / 10);
    if (turn === 9) break;
    bad.bytes += 1_000;
    watch.look(bad);
    watch.drained(other);
  }
  assert.deepEqual(stalled, [bad]);
});

test('who reads slowly is not stalled, however long it has much unread', (t) => {
  const slow = connection(4 * MUCH);
  watch.look(slow);
  for (let turn = 0; turn < 100; turn++) {
    t.mock.timers.tick(LIMITS.unreadMs - 1);
    watch.drained(slow);
    watch.look(slow);
  }
  assert.deepEqual(stalled, []);
  t.mock.timers.tick(LIMITS.unreadMs);
  assert.deepEqual(stalled, [slow], 'it has ceased to');
});

test('who has read up is not watched, until it leaves much again', (t) => {
  const socket = connection(MUCH);
  watch.look(socket);
  socket.bytes = 0;
  watch.drained(socket);
  t.mock.timers.tick(10 * LIMITS.unreadMs);
  assert.deepEqual(stalled, []);
  socket.bytes = MUCH;
  watch.look(socket);
  t.mock.timers.tick(LIMITS.unreadMs);
  assert.deepEqual(stalled, [socket]);
});

test('a connection that has ended is forgotten', (t) => {
  const socket = connection(MUCH);
  watch.look(socket);
  watch.forget(socket);
  t.mock.timers.tick(10 * LIMITS.unreadMs);
  watch.drained(socket);
  assert.deepEqual(stalled, []);
});
