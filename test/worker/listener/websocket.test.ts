/** The WebSocket listener without its sockets: what is hard to meet from outside. */
import assert, { AssertionError } from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import pino from 'pino';
import { MIB } from '../../../src/limits.ts';
import { Counters } from '../../../src/metrics/counters.ts';
import { Accumulator } from '../../../src/worker/accumulator/accumulator.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';
import { Acknowledger } from '../../../src/worker/acknowledger/acknowledger.ts';
import { Credit } from '../../../src/worker/acknowledger/credit.ts';
import { ConnectionAdmission } from '../../../src/worker/admission/connections.ts';
import { Gate } from '../../../src/worker/admission/gate.ts';
import { Origins } from '../../../src/worker/admission/origins.ts';
import { SUBPROTOCOL } from '../../../src/worker/listener/handshakes.ts';
import { WebSocketListener } from '../../../src/worker/listener/websocket.ts';
import { Intake } from '../../../src/worker/validator/intake.ts';
import { fakeRequest, openSocket } from '../../simulation/sockets.ts';
import { good } from '../../support/events.ts';
import { Response } from './response.ts';

const MAX_FRAME_BYTES = 65_536;
let listener: WebSocketListener;
let logged: string[];
let validate: (value: object) => string | undefined;

beforeEach(() => {
  logged = [];
  const counters = new Counters();
  const log = pino({}, { write: (line: string) => void logged.push(JSON.parse(line).msg) });
  const budget = new Budget(64 * MIB);
  const bounds = { batchBytes: MIB, maxEventBytes: MAX_FRAME_BYTES };
  const accumulator = new Accumulator({ budget, ...bounds });
  accumulator.setPartitions(1);
  const credit = new Credit(budget, MAX_FRAME_BYTES);
  const acknowledger = new Acknowledger(counters, credit, (b) => accumulator.release(b), log);
  const refuse = acknowledger.refuse.bind(acknowledger);
  validate = () => undefined;
  const memory = { over: false };
  listener = new WebSocketListener({
    gate: new Gate({ origins: new Origins(undefined), log }),
    admission: new ConnectionAdmission({ max: 9, maxPerAddress: 0, trustedProxies: [], memory }),
    counters,
    log,
    maxFrameBytes: MAX_FRAME_BYTES,
    intake: new Intake((value) => validate(value), undefined, accumulator, 'clientId', refuse),
    acknowledger,
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
  bad.deliver(good('x'));
  assert.equal(bad.peer.ended, '1006');
  assert.equal(neighbour.peer.ended, '');
  assert.deepEqual(logged, ['a frame failed']);
  validate = () => undefined;
  neighbour.deliver(good('x'));
  assert.equal(neighbour.peer.ended, '');
});

test('an assertion that fails ends the worker: its state can be trusted no more', () => {
  const { deliver } = connect();
  validate = () => assert.fail('the state is wrong');
  assert.throws(() => deliver(good('x')), AssertionError);
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
