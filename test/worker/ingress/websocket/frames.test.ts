/** Frames that come when a turn of the loop has no time left: what becomes of them, and when. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { LIMITS, MIB } from '../../../../src/config/limits.ts';
import { Slicer } from '../../../../src/worker/ingress/slicer.ts';
import { SUBPROTOCOL } from '../../../../src/worker/ingress/websocket/upgrades.ts';
import type { WebSocketHandler } from '../../../../src/worker/ingress/websocket/websocket-handler.ts';
import type { Validator } from '../../../../src/worker/intake/validator.ts';
import { InputMemory } from '../../../../src/worker/overload/input-memory.ts';
import { TurnBudget } from '../../../../src/worker/overload/turn-budget.ts';
import { good, goodOfBytes } from '../../../../testing/events.ts';
import { openSocket } from '../../../fakes/uws.ts';
import { createStages } from '../stages.ts';

const { workMs, overlongMs, lookBytes } = LIMITS.turn;
/** The sieve does not let it through. */
const odd = good('odd', { msg: 1 });
const turnOver = () => new Promise<void>((done) => setImmediate(done));

let listener: WebSocketHandler;
let stages: ReturnType<typeof createStages>;
let validate: Validator;
let turn: TurnBudget;
let clockMs: number;

/** @param waitingBytes that all connections may have waiting */
function listen(waitingBytes: number = 64 * MIB): void {
  validate = () => undefined;
  clockMs = 0;
  turn = new TurnBudget({ now: () => clockMs, cpuMs: () => clockMs });
  // One slice in a turn.
  const slicer = new Slicer({ workUntilMs: 0 });
  const inputMemory = new InputMemory(waitingBytes);
  const parts = { turn, slicer, inputMemory };
  stages = createStages({ validate: (value) => validate(value), parts });
  listener = stages.webSocket;
  stages.http.close();
}
beforeEach(() => listen());
afterEach(() => listener.close());

/** Takes all the time of this turn; @param ms how long keeping what comes has taken since */
function spend(ms = 0): void {
  turn.spend(lookBytes);
  clockMs += workMs;
  turn.spend(lookBytes);
  clockMs += ms;
  turn.spend(lookBytes);
}

function connect(protocol = '') {
  const peer = {
    ended: '',
    heard: [] as string[],
    hear: (text: string) => void peer.heard.push(text),
    pinged: () => {},
    gone(code: number, reason: string) {
      peer.ended = `${code} ${reason}`;
    },
  };
  const socket = openSocket(listener.behavior, protocol, peer);
  assert(socket !== undefined, 'the handshake is taken');
  return {
    deliver: (text: string) => socket.deliver(text),
    pong: (text: string) => socket.pong(text),
    lost: (code: number) => socket.lost(code),
    get ended() {
      return peer.ended;
    },
    get acked() {
      return peer.heard.findLast((text) => text.startsWith('{"ack"'));
    },
  };
}

/** The events that are on their way to Kafka, in order. */
function taken(): string[] {
  const batch = stages.topic.partitions[0]?.queue.open;
  const text = batch?.buffer.toString('latin1', 0, batch.length) ?? '';
  return [...text.matchAll(/"id":"([^"]*)"/g)].map(([, id]) => id!);
}

async function allTaken(): Promise<void> {
  while (listener.decoding) await turnOver();
}

test('frames that come too late for a turn are taken apart in later ones, in order', async () => {
  const [first, second] = [connect(SUBPROTOCOL), connect()];
  first.deliver(good('a1'));
  assert.deepEqual(taken(), ['a1'], 'at once while there is time');
  spend();
  for (const number of [2, 3, 4]) first.deliver(good(`a${number}`));
  second.deliver(good('b1'));
  assert.deepEqual(taken(), ['a1']);
  assert(listener.decoding && listener.busy);
  await turnOver();
  // This turn has time; what waits comes first all the same.
  if (listener.decoding) first.deliver(good('a5'));
  await allTaken();
  const all = taken();
  assert.deepEqual(
    all.filter((id) => id.startsWith('a')),
    ['a1', 'a2', 'a3', 'a4', 'a5'],
  );
  assert(all.includes('b1'));
  assert(!listener.decoding);
  first.deliver(good('a6'));
  assert.equal(taken().at(-1), 'a6', 'at once again');
});

test('while one has much waiting, another’s frame waits for few of it', async () => {
  const [greedy, modest] = [connect(), connect()];
  spend();
  for (let frame = 0; frame < 20; frame++) greedy.deliver(goodOfBytes('g', LIMITS.atOnceBytes));
  await turnOver();
  modest.deliver(good('modest'));
  await turnOver();
  await turnOver();
  assert(taken().includes('modest'), 'in the next two turns');
  assert(listener.decoding, 'the other one still waits');
});

test('an event that had to wait has the time of its arrival', async () => {
  const client = connect();
  spend();
  const before = [Date.now(), performance.now()] as const;
  client.deliver(good('a'));
  const after = performance.now();
  while (performance.now() < after + 20);
  await allTaken();
  const batch = stages.topic.partitions[0]!.queue.open!;
  assert(batch.openedAtMs >= before[1] && batch.openedAtMs <= after);
  assert(Math.abs(batch.firstTimestamp - before[0]) < 15, 'to the rounding');
});

test('a plain client is ended when more waits than its window, with many bytes or small frames', async () => {
  const overhead = LIMITS.frameOverheadBytes;
  for (const frame of ['x', 'x'.repeat(100), 'x'.repeat(60_000)]) {
    const [client, neighbour] = [connect(), connect()];
    spend();
    const most = Math.floor(LIMITS.turnBytes / (frame.length + overhead));
    for (let sent = 0; sent < most; sent++) client.deliver(frame);
    assert.equal(client.ended, '', `${most} frames of ${frame.length} bytes`);
    client.deliver(frame);
    assert.equal(client.ended, '1013 flooding');
    neighbour.deliver(frame);
    assert.equal(neighbour.ended, '');
    await turnOver();
  }
});

test('the credit bounds what a client of the subprotocol has waiting, and nothing else does', async () => {
  const client = connect(SUBPROTOCOL);
  const other = connect(SUBPROTOCOL);
  spend(overlongMs);
  assert(turn.overlong);
  for (let frame = 1; frame <= LIMITS.creditFrames; frame++) client.deliver(good(`${frame}`));
  assert.equal(client.ended, '');
  for (let frame = 0; frame <= LIMITS.creditFrames; frame++) other.deliver('x');
  assert.equal(other.ended, '1008 credit_exceeded');
  await allTaken();
  assert.equal(taken().length, LIMITS.creditFrames);
});

test('when only to keep what comes takes a turn too long, each may send few frames and bytes more', async () => {
  const [small, large, modest, pings] = [connect(), connect(), connect(), connect()];
  // What waits already does not count.
  spend();
  for (let frame = 0; frame < 3 * LIMITS.creditFrames; frame++) modest.deliver('x');
  await turnOver();
  spend(overlongMs);
  for (let frame = 0; frame < LIMITS.creditFrames; frame++) {
    small.deliver('x');
    modest.deliver('x');
    pings.pong('');
  }
  for (const client of [small, modest, pings]) assert.equal(client.ended, '');
  small.deliver('x');
  assert.equal(small.ended, '1013 flooding');
  pings.pong('');
  assert.equal(pings.ended, '1013 flooding');
  for (let sent = 0; sent < LIMITS.creditBytes; sent += 65_536) large.deliver('x'.repeat(65_536));
  assert.equal(large.ended, '');
  large.deliver('x');
  assert.equal(large.ended, '1013 flooding');
});

test('pings and pongs count when there is no time left, and only then', async () => {
  const client = connect(SUBPROTOCOL);
  const most = LIMITS.turnMessages;
  for (let pong = 0; pong < 2 * most; pong++) client.pong('');
  assert.equal(client.ended, '');
  for (let turns = 0; turns < 2; turns++) {
    await turnOver();
    spend();
    for (let pong = 0; pong < most; pong++) client.pong('');
    assert.equal(client.ended, '', 'in each turn as many');
  }
  client.pong('');
  assert.equal(client.ended, '1013 flooding');
});

test('a plain client that sends and goes is stored; what no ack was sent for is dropped', async () => {
  const [plain, acknowledged] = [connect(), connect(SUBPROTOCOL)];
  spend();
  plain.deliver(good('plain'));
  acknowledged.deliver(good('acknowledged'));
  plain.lost(1000);
  acknowledged.lost(1000);
  assert(listener.busy, 'a drain waits for it');
  await allTaken();
  assert.deepEqual(taken(), ['plain']);
  assert(!listener.busy);
});

test('a client that is told to go is let go when its frames that waited are settled too', async () => {
  const client = connect(SUBPROTOCOL);
  spend();
  client.deliver('x');
  listener.drain();
  client.pong('goaway');
  assert.equal(client.ended, '');
  await allTaken();
  await turnOver();
  assert.equal(client.acked, '{"ack":1}');
  assert.equal(client.ended, '1012 restart');
});

test('a frame that waited and fails ends its connection, with what waits behind it', async () => {
  const [bad, neighbour] = [connect(), connect()];
  spend();
  for (const frame of [good('before'), odd, good('behind')]) bad.deliver(frame);
  neighbour.deliver(good('neighbour'));
  validate = () => {
    throw new RangeError('thrown');
  };
  await allTaken();
  assert.deepEqual(taken().sort(), ['before', 'neighbour']);
  assert.equal(bad.ended, '1006 ');
  assert.equal(neighbour.ended, '');
  assert.deepEqual(stages.logged, ['internal error while processing a frame']);
});

test('all connections together have a bound: the one with most waiting is ended', async () => {
  const waitingBytes = 100_000;
  listen(waitingBytes);
  const [greedy, modest] = [connect(), connect(SUBPROTOCOL)];
  spend();
  modest.deliver(good('modest'));
  for (let sent = 0; greedy.ended === ''; sent += 10_000) {
    assert(sent <= waitingBytes);
    greedy.deliver(goodOfBytes('g', 10_000));
  }
  assert.equal(greedy.ended, '1013 flooding');
  await allTaken();
  assert.deepEqual(taken(), ['modest']);
  assert.equal(modest.ended, '');
});
