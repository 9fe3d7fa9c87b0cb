/** Frames that arrive in a turn without time left: their order, bounds and results. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { LIMITS, MIB } from '../../../../src/config/limits.ts';
import { cells } from '../../../../src/metrics/counters.ts';
import type { RejectionEntry } from '../../../../src/worker/acknowledger/rejections.ts';
import { Slicer } from '../../../../src/worker/ingress/slicer.ts';
import { SUBPROTOCOL } from '../../../../src/worker/ingress/websocket/upgrades.ts';
import type { WebSocketHandler } from '../../../../src/worker/ingress/websocket/websocket-handler.ts';
import type { Validator } from '../../../../src/worker/intake/validator.ts';
import { InputMemory } from '../../../../src/worker/overload/input-memory.ts';
import { TurnBudget } from '../../../../src/worker/overload/turn-budget.ts';
import { good, goodOfBytes } from '../../../../testing/events.ts';
import { openSocket } from '../../../fakes/uws.ts';
import { createStages } from '../stages.ts';

const { workMs, overlongMs, checkBytes } = LIMITS.turn;
/** An event that the fast path does not accept. */
const odd = good('odd', { msg: 1 });
const [RECEIVED, REFUSED, DROPPED] = [
  cells('forebay_events_received_total', ['ws']).ws,
  cells('forebay_events_refused_total', ['buffer_full']).buffer_full,
  cells('forebay_events_dropped_total', ['buffer_full']).buffer_full,
];
const turnOver = () => new Promise<void>((done) => setImmediate(done));

let handler: WebSocketHandler;
let stages: ReturnType<typeof createStages>;
let validate: Validator;
let turn: TurnBudget;
let clockMs: number;

/** @param waitingBytes bound of queued bytes of all connections */
function listen(waitingBytes: number = 64 * MIB): void {
  validate = () => undefined;
  clockMs = 0;
  turn = new TurnBudget({ now: () => clockMs, cpuMs: () => clockMs });
  // One slice per turn.
  const slicer = new Slicer({ workUntilMs: 0 });
  const inputMemory = new InputMemory(waitingBytes);
  const parts = { turn, slicer, inputMemory };
  stages = createStages({ validate: (value) => validate(value), parts });
  handler = stages.webSocket;
  stages.http.close();
}
beforeEach(() => listen());
afterEach(() => handler.close());

/** Spends the time of this turn. @param ms time spent queuing input since */
function spend(ms = 0): void {
  turn.spend(checkBytes);
  clockMs += workMs;
  turn.spend(checkBytes);
  clockMs += ms;
  turn.spend(checkBytes);
}

function connect(protocol = '', query = '') {
  const peer = {
    ended: '',
    texts: [] as string[],
    receive: (text: string) => void peer.texts.push(text),
    pinged: () => {},
    gone(code: number, reason: string) {
      peer.ended = `${code} ${reason}`;
    },
  };
  const socket = openSocket(handler.behavior, protocol, peer, `/ws${query}`);
  assert(socket !== undefined, 'the handshake is accepted');
  return {
    deliver: (text: string) => socket.deliver(text),
    pong: (text: string) => socket.pong(text),
    lost: (code: number) => socket.lost(code),
    get ended() {
      return peer.ended;
    },
    texts: peer.texts,
    get acked() {
      return peer.texts.findLast((text) => text.startsWith('{"ack"'));
    },
  };
}

/** Events in the buffer for Kafka, in order. */
function taken(): string[] {
  const batch = stages.topic.partitions[0]?.queue.open;
  const text = batch?.buffer.toString('latin1', 0, batch.length) ?? '';
  return [...text.matchAll(/"id":"([^"]*)"/g)].map(([, id]) => id!);
}

async function allTaken(): Promise<void> {
  while (handler.decoding) await turnOver();
}

test('frames that arrive too late for a turn are decoded in later ones, in order', async () => {
  const [first, second] = [connect(SUBPROTOCOL), connect()];
  first.deliver(good('a1'));
  assert.deepEqual(taken(), ['a1'], 'at once while there is time');
  spend();
  for (const number of [2, 3, 4]) first.deliver(good(`a${number}`));
  second.deliver(good('b1'));
  assert.deepEqual(taken(), ['a1']);
  assert(handler.decoding && handler.busy);
  await turnOver();
  // This turn has time; queued frames come first all the same.
  if (handler.decoding) first.deliver(good('a5'));
  await allTaken();
  const all = taken();
  assert.deepEqual(
    all.filter((id) => id.startsWith('a')),
    ['a1', 'a2', 'a3', 'a4', 'a5'],
  );
  assert(all.includes('b1'));
  assert(!handler.decoding);
  first.deliver(good('a6'));
  assert.equal(taken().at(-1), 'a6', 'at once again');
});

/** Fills the buffer. @returns a function that empties it */
function fill(): () => void {
  const { budget } = stages;
  const bytes = budget.eventLimitBytes - budget.eventBytes;
  budget.forceCharge(bytes);
  return () => budget.release(bytes);
}

test('a frame that finds the buffer full is rejected as a whole, and counts its events', async () => {
  const [client, plain] = [connect(SUBPROTOCOL), connect()];
  const empty = fill();
  const frame = `[${good('a')},{},"text"]`;
  client.deliver(frame);
  plain.deliver(frame);
  await turnOver();
  const [, nack, ack] = client.texts;
  const { nack: number, errors } = JSON.parse(nack!) as { nack: number; errors: RejectionEntry[] };
  const [{ retryAfterMs, ...error }] = errors as [RejectionEntry];
  assert.deepEqual([number, errors.length, typeof retryAfterMs], [1, 1, 'number']);
  assert.deepEqual(error, { code: 'buffer_full', retry: true, message: 'the buffer is full' });
  assert.equal(ack, '{"ack":1}');
  const { values } = stages.counters;
  assert.deepEqual(
    [RECEIVED, REFUSED, DROPPED].map((counter) => values[counter]),
    [6, 3, 3],
  );
  empty();
  client.deliver(good('b'));
  assert.deepEqual(taken(), ['b']);
});

test('a frame that arrives too late for a turn is rejected at once if the buffer is full', async () => {
  const [client, other] = [connect(SUBPROTOCOL), connect(SUBPROTOCOL)];
  spend();
  client.deliver(good('queued'));
  const empty = fill();
  client.deliver(good('full'));
  other.deliver(good('full'));
  empty();
  client.deliver(good('behind'));
  assert.deepEqual(taken(), []);
  await allTaken();
  assert.deepEqual(taken(), ['queued', 'behind'], 'decided when it arrived');
  await turnOver();
  assert.match(client.texts[1]!, /^\{"nack":2,.*"buffer_full"/);
  assert.match(other.texts[1]!, /^\{"nack":1,.*"buffer_full"/);
});

test('with a full buffer, frames of plain clients are queued in an overlong turn: no credit bounds their time', () => {
  const [client, plain] = [connect(SUBPROTOCOL), connect()];
  fill();
  spend(overlongMs - workMs);
  client.deliver(good('a'));
  assert.equal(handler.decoding, false);
  plain.deliver(good('a'));
  assert.equal(handler.decoding, true);
});

test('a frame behind declared repeats is queued even if the buffer is full: they count in order', async () => {
  const client = connect(SUBPROTOCOL, '?resent=1');
  spend();
  client.deliver(good('a'));
  fill();
  client.deliver(good('b'));
  await turnOver();
  assert.deepEqual(
    client.texts.filter((text) => text.startsWith('{"nack":2')),
    [],
  );
});

test('a frame waits for few frames of a connection with a long queue', async () => {
  const [greedy, modest] = [connect(), connect()];
  spend();
  for (let frame = 0; frame < 20; frame++) greedy.deliver(goodOfBytes('g', LIMITS.oneShotBytes));
  await turnOver();
  modest.deliver(good('modest'));
  await turnOver();
  await turnOver();
  assert(taken().includes('modest'), 'in the next two turns');
  assert(handler.decoding, 'the other one still waits');
});

test('a queued event keeps its time of arrival', async () => {
  const client = connect();
  spend();
  const before = [Date.now(), performance.now()] as const;
  client.deliver(good('a'));
  const after = performance.now();
  while (performance.now() < after + 20);
  await allTaken();
  const batch = stages.topic.partitions[0]!.queue.open!;
  assert(batch.openedAtMs >= before[1] && batch.openedAtMs <= after);
  assert(Math.abs(batch.firstTimestamp - before[0]) < 15, 'up to rounding');
});

test('a plain client is ended when its queue exceeds its window, in bytes or small frames', async () => {
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

test('credit alone bounds the queue of an acknowledged client', async () => {
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

test('when queuing alone makes a turn overlong, each connection may send a few more frames and bytes', async () => {
  const [small, large, modest, pings] = [connect(), connect(), connect(), connect()];
  // Frames already queued do not count.
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

test('pings and pongs count only when there is no time left', async () => {
  const client = connect(SUBPROTOCOL);
  const most = LIMITS.turnMessages;
  for (let pong = 0; pong < 2 * most; pong++) client.pong('');
  assert.equal(client.ended, '');
  for (let turns = 0; turns < 2; turns++) {
    await turnOver();
    spend();
    for (let pong = 0; pong < most; pong++) client.pong('');
    assert.equal(client.ended, '', 'the limit is per turn');
  }
  client.pong('');
  assert.equal(client.ended, '1013 flooding');
});

test('queued frames of a plain client that disconnects are stored; unacknowledged ones are dropped', async () => {
  const [plain, acknowledged] = [connect(), connect(SUBPROTOCOL)];
  spend();
  plain.deliver(good('plain'));
  acknowledged.deliver(good('acknowledged'));
  plain.lost(1000);
  acknowledged.lost(1000);
  assert(handler.busy, 'a drain waits for it');
  await allTaken();
  assert.deepEqual(taken(), ['plain']);
  assert(!handler.busy);
});

test('a client after goaway is ended when its queued frames are settled too', async () => {
  const client = connect(SUBPROTOCOL);
  spend();
  client.deliver('x');
  handler.drain();
  client.pong('goaway');
  assert.equal(client.ended, '');
  await allTaken();
  await turnOver();
  assert.equal(client.acked, '{"ack":1}');
  assert.equal(client.ended, '1012 restart');
});

test('an internal error in a queued frame ends its connection and drops its queue', async () => {
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

test('all connections share one bound: the one with the longest queue is ended', async () => {
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
