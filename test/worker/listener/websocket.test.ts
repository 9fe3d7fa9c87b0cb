/** The WebSocket listener without its sockets: what is hard to meet from outside. */
import assert, { AssertionError } from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { SUBPROTOCOL } from '../../../src/worker/listener/handshakes.ts';
import { WebSocketListener } from '../../../src/worker/listener/websocket.ts';
import type { Validator } from '../../../src/worker/validator/validator.ts';
import { fakeRequest, openSocket } from '../../simulation/sockets.ts';
import { good } from '../../support/events.ts';
import { Response } from './response.ts';
import { createStages, MAX_EVENT_BYTES } from './stages.ts';

/** The sieve does not let it through. */
const odd = good('x', { msg: 1 });
let listener: WebSocketListener;
let logged: string[];
let validate: Validator;

beforeEach(() => {
  validate = () => undefined;
  const stages = createStages((value) => validate(value));
  logged = stages.logged;
  listener = new WebSocketListener({
    ...stages,
    maxFrameBytes: MAX_EVENT_BYTES,
    maxEventDepth: 64,
    connectionRate: undefined,
    idleMs: 120_000,
    maxAgeMs: 0,
    spreadMs: 0,
  });
});
afterEach(() => listener.close());

/** A client, and how it was ended: '' = it was not. */
function connect() {
  const heard: string[] = [];
  const peer = {
    ended: '',
    heard,
    hear: (text: string) => void heard.push(text),
    pinged: () => {},
    gone(code: number) {
      peer.ended = String(code);
    },
  };
  const socket = openSocket(listener.behavior, SUBPROTOCOL, peer);
  assert(socket !== undefined, 'the handshake is taken');
  return { peer, deliver: (text: string) => socket.deliver(text) };
}

test('a frame that something fails on ends its connection without an ack, and no other', () => {
  const [bad, neighbour] = [connect(), connect()];
  validate = () => {
    throw new RangeError('thrown');
  };
  bad.deliver(odd);
  assert.equal(bad.peer.ended, '1006');
  assert.equal(neighbour.peer.ended, '');
  assert.deepEqual(logged, ['a frame failed']);
  validate = () => undefined;
  neighbour.deliver(odd);
  assert.equal(neighbour.peer.ended, '');
});

test('an assertion that fails ends the worker: its state can be trusted no more', () => {
  const { deliver } = connect();
  validate = () => assert.fail('the state is wrong');
  assert.throws(() => deliver(odd), AssertionError);
});

test('a handshake that something fails on ends its connection, and no other', () => {
  const response = new Response();
  const request = fakeRequest('GET', '/ws', {});
  const broken = Object.assign(request, {
    getHeader: () => {
      throw new RangeError('thrown');
    },
    forEach: () => {
      throw new RangeError('thrown');
    },
  });
  listener.behavior.upgrade(response, broken, {});
  assert.throws(() => response.resume(), /after its end/);
  assert.deepEqual(logged, ['a request failed']);
  connect();
});
