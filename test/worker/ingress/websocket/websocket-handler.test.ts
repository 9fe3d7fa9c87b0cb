/** The WebSocket handler without its sockets: cases that are hard to reach from outside. */
import assert, { AssertionError } from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LIMITS } from '../../../../src/config/limits.ts';
import { type Counters, cells } from '../../../../src/metrics/counters.ts';
import { SUBPROTOCOL } from '../../../../src/worker/ingress/websocket/upgrades.ts';
import type { WebSocketHandler } from '../../../../src/worker/ingress/websocket/websocket-handler.ts';
import type { Validator } from '../../../../src/worker/intake/validator.ts';
import { good } from '../../../../testing/events.ts';
import { FakeResponse, fakeRequest, openSocket } from '../../../fakes/uws.ts';
import { createStages, MAX_EVENT_BYTES } from '../stages.ts';

/** An event that the fast path does not accept. */
const odd = good('x', { msg: 1 });
let handler: WebSocketHandler;
const CLOSED = cells('forebay_connections_closed_total', ['memory_short']);
let logged: string[];
let counters: Counters;
let validate: Validator;
let stages: ReturnType<typeof createStages>;

beforeEach(() => {
  validate = () => undefined;
  stages = createStages({ validate: (value) => validate(value) });
  ({ logged, counters, webSocket: handler } = stages);
  stages.http.close();
});
afterEach(() => handler.close());

/** A client and its close: '' = none. */
function connect() {
  const texts: string[] = [];
  const peer = {
    ended: '',
    texts,
    receive: (text: string) => void texts.push(text),
    pinged: () => {},
    gone(code: number) {
      peer.ended = String(code);
    },
  };
  const socket = openSocket(handler.behavior, SUBPROTOCOL, peer);
  assert(socket !== undefined, 'the handshake is accepted');
  return {
    peer,
    deliver: (text: string) => socket.deliver(text),
    partial: (bytes: number) => socket.partial(bytes),
    close: () => socket.lost(),
  };
}

test('an internal error in a frame ends its connection without an ack, and no other', () => {
  const [bad, neighbour] = [connect(), connect()];
  validate = () => {
    throw new RangeError('thrown');
  };
  bad.deliver(odd);
  assert.equal(bad.peer.ended, '1006');
  assert.equal(neighbour.peer.ended, '');
  assert.deepEqual(logged, ['internal error while processing a frame']);
  validate = () => undefined;
  neighbour.deliver(odd);
  assert.equal(neighbour.peer.ended, '');
});

test('a failed assertion ends the worker: its state is unreliable', () => {
  const { deliver } = connect();
  validate = () => assert.fail('the state is wrong');
  assert.throws(() => deliver(odd), AssertionError);
});

test('an internal error in a handshake ends its connection, and no other', () => {
  const response = new FakeResponse();
  const request = fakeRequest('GET', '/ws', {});
  const broken = Object.assign(request, {
    getHeader: () => {
      throw new RangeError('thrown');
    },
    forEach: () => {
      throw new RangeError('thrown');
    },
  });
  handler.behavior.upgrade(response, broken, {});
  assert.throws(() => response.resume(), /after its end/);
  assert.deepEqual(logged, ['internal error while processing a request']);
  connect();
});

test('above the memory limit, connections with possible partial messages are ended, longest silent first', (t) => {
  let nowMs = 1_000_000;
  t.mock.method(performance, 'now', () => nowMs);
  const longest = 2 * MAX_EVENT_BYTES;
  const [early, talks, silent, late] = Array.from({ length: 4 }, () => {
    nowMs += 10;
    return connect();
  });
  silent!.deliver(odd);
  late!.deliver('x'.repeat(MAX_EVENT_BYTES + 1));
  nowMs += LIMITS.silentMs;
  talks!.deliver(odd);
  const ended = () => [early, talks, silent, late].map((client) => client!.peer.ended);
  assert.equal(handler.closeSilent(1), 1);
  assert.deepEqual(
    ended(),
    ['1006', '', '', ''],
    'one could hold that, and has never completed a message',
  );
  assert.equal(handler.closeSilent(longest), 1);
  assert.deepEqual(ended(), ['1006', '', '', '1006'], 'a message above the limit does not count');
  assert.equal(handler.closeSilent(longest + 1), 1);
  assert.deepEqual(
    ended(),
    ['1006', '', '1006', '1006'],
    'a connection with a recent message stays',
  );
  assert.equal(handler.closeSilent(100 * longest), 0);
  assert.equal(counters.values[CLOSED.memory_short], 3);
});

test('incomplete messages share the bound of incomplete input: the largest one is ended without a close frame', () => {
  const [small, large] = [connect(), connect()];
  const { inputMemory } = stages;
  small.partial(1_000);
  large.partial(inputMemory.limitBytes - 1_000);
  assert.equal(inputMemory.bytes, inputMemory.limitBytes);
  small.partial(2_000);
  assert.deepEqual([small.peer.ended, large.peer.ended], ['', '1006']);
  assert.equal(counters.values[CLOSED.memory_short], 1);
  assert.equal(inputMemory.bytes, 2_000);
  small.partial(0);
  assert.equal(inputMemory.bytes, 0, 'the message is complete');
  small.partial(1);
  small.close();
  assert.equal(inputMemory.bytes, 0);
});

test('a check ends a limited number of connections, to bound its time', async () => {
  for (let count = 0; count < LIMITS.endedPerCheck + 10; count++) {
    if (count % LIMITS.upgradesPerTurn === 0) await nextTurn();
    connect();
  }
  assert.equal(handler.closeSilent(Number.POSITIVE_INFINITY), LIMITS.endedPerCheck);
  assert.equal(handler.closeSilent(Number.POSITIVE_INFINITY), 10);
});
