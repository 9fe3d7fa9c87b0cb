import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LIMITS, MIB } from '../../../src/config/limits.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';
import { AckStream } from '../../../src/worker/acknowledger/ack-stream.ts';
import { Credit as SharedCredit } from '../../../src/worker/acknowledger/credit.ts';
import { ANONYMOUS } from '../../../src/worker/admission/identity.ts';

const MAX_FRAME_BYTES = 65_536;

interface Credit {
  readonly frames: number;
  readonly bytes: number;
}
interface ServerFrame {
  readonly hello?: { maxFrameBytes: number; maxFrameEvents: number; credit: Credit };
  readonly ack?: number;
  readonly nack?: number;
  readonly errors?: { code: string; events?: [number, number][] }[];
  readonly credit?: Credit;
}

/** A suspicious client: it checks each server frame against the protocol. */
class Client {
  readonly stream: AckStream;
  readonly frames: ServerFrame[] = [];
  readonly nacked = new Map<number, string>();
  sends = 0;
  announced = 0;
  unreadBytes = 0;
  nackBytes = 0;
  acked = 0;
  sentFrames = 0;
  sentBytes = 0;
  credit: Credit = { frames: 0, bytes: 0 };

  constructor(credit = new SharedCredit(new Budget(64 * MIB), MAX_FRAME_BYTES)) {
    const send = (texts: readonly string[]) => {
      this.sends++;
      assert(texts.length > 0, 'no empty sends');
      for (const text of texts) {
        if (text.startsWith('{"nack"')) this.nackBytes += text.length;
        this.#receive(JSON.parse(text) as ServerFrame);
      }
    };
    const wire = { send, unreadBytes: () => this.unreadBytes };
    this.stream = new AckStream(wire, ANONYMOUS, credit, credit.budget, () => this.announced++);
    this.stream.hello();
  }

  /** Sends a frame; it is open until `endFrame`. */
  frame(bytes = 100): number {
    const frame = this.stream.beginFrame(bytes);
    assert(frame !== undefined, 'within the credit');
    this.sentFrames++;
    this.sentBytes += bytes;
    assert.equal(frame, this.sentFrames);
    return frame;
  }

  maySend(bytes: number): boolean {
    return this.sentFrames < this.credit.frames && this.sentBytes + bytes <= this.credit.bytes;
  }

  #receive(frame: ServerFrame): void {
    this.frames.push(frame);
    const { ack, nack, hello } = frame;
    const credit = frame.credit ?? hello?.credit;
    if (ack !== undefined) {
      assert(ack > this.acked && ack <= this.sentFrames, 'an ack rises, up to the frames sent');
      this.acked = ack;
    }
    if (nack !== undefined) {
      assert(nack > this.acked && nack <= this.sentFrames, 'a nack precedes its ack');
      assert(!this.nacked.has(nack), 'a frame is nacked once');
      this.nacked.set(nack, JSON.stringify(frame.errors));
    }
    if (credit !== undefined) {
      const rises = credit.frames >= this.credit.frames && credit.bytes >= this.credit.bytes;
      assert(rises, 'credit only rises');
      this.credit = credit;
    }
  }
}

const settle = (stream: AckStream, frame: number, count: number) =>
  assert.equal(stream.settled(frame, new Array<number>(count).fill(0), 0, count), true);

test('hello has the limits and the first credit', () => {
  assert.deepEqual(new Client().frames, [
    {
      hello: {
        maxFrameBytes: MAX_FRAME_BYTES,
        maxFrameEvents: LIMITS.frameEvents,
        credit: { frames: LIMITS.creditFrames, bytes: LIMITS.creditBytes },
      },
    },
  ]);
});

test('frames count as acknowledged when the ack is sent, not when they are settled', () => {
  const client = new Client();
  const { stream } = client;
  assert(stream.allAcknowledged);
  const frame = client.frame();
  assert(!stream.allAcknowledged);
  stream.endFrame(frame);
  assert(!stream.allAcknowledged);
  stream.flush();
  assert(stream.allAcknowledged);
});

test('a frame is acked when all its events are settled, not before', () => {
  const client = new Client();
  const { stream, frames } = client;
  client.frame();
  stream.accepted(1);
  stream.accepted(1);
  stream.flush();
  stream.endFrame(1);
  settle(stream, 1, 1);
  stream.flush();
  assert.equal(frames.length, 1, 'only hello');
  settle(stream, 1, 1);
  stream.flush();
  assert.deepEqual(frames[1], { ack: 1 });
});

test('acks are cumulative: frames settled out of order wait, and one ack covers all', () => {
  const client = new Client();
  const { stream } = client;
  for (let count = 0; count < 3; count++) {
    const frame = client.frame();
    stream.accepted(frame);
    stream.endFrame(frame);
  }
  settle(stream, 3, 1);
  settle(stream, 2, 1);
  stream.flush();
  assert.equal(client.acked, 0);
  settle(stream, 1, 1);
  stream.flush();
  assert.deepEqual(client.frames.slice(1), [{ ack: 3 }]);
});

test('a frame without events is settled at once', () => {
  const client = new Client();
  client.stream.endFrame(client.frame());
  client.stream.flush();
  assert.deepEqual(client.frames.slice(1), [{ ack: 1 }]);
});

test('rejections are sent once the whole frame is settled, before its ack', () => {
  const client = new Client();
  const { stream } = client;
  const frame = client.frame();
  stream.accepted(frame);
  stream.rejected(frame, 1, 'schema', 'wrong');
  stream.endFrame(frame);
  stream.flush();
  assert.equal(client.frames.length, 1);
  stream.rejected(frame, 0, 'timeout', 'late');
  settle(stream, frame, 1);
  stream.flush();
  const [nack, ack] = client.frames.slice(1);
  assert.equal(nack?.nack, 1);
  assert.deepEqual(
    nack?.errors?.map(({ code, events }) => [code, events]),
    [
      ['schema', [[1, 1]]],
      ['timeout', [[0, 0]]],
    ],
  );
  assert.deepEqual(ack, { ack: 1 });
});

test('a nack does not wait for earlier frames, an ack does', () => {
  const client = new Client();
  const { stream } = client;
  const [first, second] = [client.frame(), client.frame()];
  stream.accepted(first);
  stream.endFrame(first);
  stream.rejected(second, undefined, 'invalid_json', 'not JSON');
  stream.endFrame(second);
  stream.flush();
  assert.deepEqual([client.nacked.has(2), client.acked], [true, 0]);
  settle(stream, first, 1);
  stream.flush();
  assert.equal(client.acked, 2);
});

test('a stream is marked dirty once until it is flushed', () => {
  const client = new Client();
  for (let count = 0; count < 3; count++) client.stream.endFrame(client.frame());
  assert.equal(client.announced, 1);
  client.stream.flush();
  assert.equal(client.sends, 2, 'hello, and all the rest at once');
  client.stream.endFrame(client.frame());
  assert.equal(client.announced, 2);
});

test('frames and bytes beyond the credit are rejected', () => {
  const frames = new Client();
  for (let count = 0; count < LIMITS.creditFrames; count++) frames.frame(1);
  assert.equal(frames.stream.beginFrame(1), undefined);
  const bytes = new Client();
  for (let sent = 0; sent < LIMITS.creditBytes; sent += MAX_FRAME_BYTES)
    bytes.frame(MAX_FRAME_BYTES);
  assert.equal(bytes.stream.beginFrame(1), undefined);
  assert.equal(bytes.stream.beginFrame(0), 5, 'a rejected frame has no number');
});

test('the first grant holds two frames of any configurable size', () => {
  for (const maxFrameBytes of [1_024, 65_536, 262_144]) {
    const client = new Client(new SharedCredit(new Budget(64 * MIB), maxFrameBytes));
    assert(client.maySend(2 * maxFrameBytes), `${maxFrameBytes}`);
  }
});

test('a closed stream accepts results and sends nothing', () => {
  const client = new Client();
  const frame = client.frame();
  client.stream.accepted(frame);
  client.stream.endFrame(frame);
  client.stream.close();
  client.stream.rejected(frame, 0, 'timeout', 'late');
  settle(client.stream, frame, 1);
  client.stream.flush();
  assert.equal(client.sends, 1);
});

test('more results than events are a defect', () => {
  const client = new Client();
  const frame = client.frame();
  client.stream.accepted(frame);
  client.stream.endFrame(frame);
  assert.throws(() => settle(client.stream, frame, 2), /more events were settled/);
  assert.throws(() => settle(client.stream, frame + 1, 1), /only open frames/);
});

type Step =
  | { readonly do: 'frame'; readonly bytes: number; readonly events: readonly boolean[] }
  | { readonly do: 'settle'; readonly which: number; readonly refuse: boolean }
  | { readonly do: 'flush' };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('frame' as const),
      bytes: fc.oneof(fc.nat(2_000), fc.constantFrom(MAX_FRAME_BYTES, 30_000)),
      events: fc.array(fc.boolean(), { maxLength: 4 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('settle' as const),
      which: fc.nat(1_000),
      refuse: fc.boolean(),
    }),
  },
  fc.constant<Step>({ do: 'flush' }),
);

test('any order of frames and results: each frame acked once settled, credit never too small', () => {
  let deepest = 0;
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 300, size: 'max' }), (steps) => {
      const client = new Client();
      const { stream } = client;
      const open: { frame: number; event: number }[] = [];
      const bad = new Set<number>();
      const settleOne = (which: number, refuse: boolean) => {
        const { frame, event } = open.splice(which % open.length, 1)[0]!;
        if (refuse) {
          bad.add(frame);
          stream.rejected(frame, event, 'rejected_by_kafka', 'no');
        }
        settle(stream, frame, 1);
      };
      for (const step of steps) {
        if (step.do === 'flush') stream.flush();
        else if (step.do === 'settle' && open.length > 0) settleOne(step.which, step.refuse);
        else if (step.do === 'frame' && client.maySend(step.bytes)) {
          const frame = client.frame(step.bytes);
          for (const [event, good] of step.events.entries()) {
            if (good) {
              open.push({ frame, event });
              stream.accepted(frame);
            } else {
              bad.add(frame);
              stream.rejected(frame, event, 'schema', 'wrong');
            }
          }
          stream.endFrame(frame);
        }
        deepest = Math.max(deepest, client.sentFrames - client.acked);
      }
      while (open.length > 0) settleOne(0, false);
      stream.flush();
      assert.equal(client.acked, client.sentFrames);
      assert.deepEqual(new Set(client.nacked.keys()), bad);
      assert(client.maySend(MAX_FRAME_BYTES), 'a frame of any size may be sent again');
    }),
    { numRuns: 200 },
  );
  assert(deepest > 16, `the ring had to grow: ${deepest} frames open`);
});

test('a client that waits for its acks is never stuck, at any frame size', () => {
  for (const bytes of [0, 1, 4_096, 32_768, MAX_FRAME_BYTES]) {
    const client = new Client();
    for (let count = 0; count < 1_000; count++) {
      client.stream.endFrame(client.frame(bytes));
      client.stream.flush();
    }
    assert.equal(client.acked, 1_000);
  }
});

/** Fills the budget above its high-water mark. */
function press(budget: Budget): number {
  const bytes = budget.eventLimitBytes * LIMITS.highWater.stop;
  assert(budget.charge(bytes) && budget.underPressure);
  return bytes;
}

/** Sends a frame of `bytes` that is settled at once. */
function exchange(client: Client, bytes: number): void {
  client.stream.endFrame(client.frame(bytes));
  client.stream.flush();
}

test('above the high-water mark credit stays and acks continue; it rises by itself afterwards', () => {
  const budget = new Budget(64 * MIB);
  const client = new Client(new SharedCredit(budget, MAX_FRAME_BYTES));
  const { stream } = client;
  const first = client.credit;
  const pressed = press(budget);
  for (let sent = 0; sent < first.frames; sent++) exchange(client, first.bytes / first.frames);
  assert.equal(client.acked, first.frames);
  assert.deepEqual(client.credit, first, 'it did not rise');
  assert.equal(stream.beginFrame(1), undefined, 'all of it is used');
  client.announced = 0;
  budget.release(pressed);
  assert.equal(client.announced, 1, 'the stream is dirty');
  stream.flush();
  assert.deepEqual(client.credit, { frames: 2 * first.frames, bytes: 2 * first.bytes });
});

test('a connection that begins above the high-water mark may send one largest frame', () => {
  const budget = new Budget(64 * MIB);
  press(budget);
  const client = new Client(new SharedCredit(budget, MAX_FRAME_BYTES));
  assert.equal(client.credit.bytes, MAX_FRAME_BYTES);
});

test('a window of one largest frame never stalls: settled bytes are granted again', () => {
  const credit = new SharedCredit(new Budget(64 * MIB), MAX_FRAME_BYTES);
  do credit.join();
  while (credit.windowBytesOf() > MAX_FRAME_BYTES);
  const client = new Client(credit);
  assert.equal(client.credit.bytes, MAX_FRAME_BYTES);
  for (const bytes of [1, MAX_FRAME_BYTES, 100, MAX_FRAME_BYTES]) {
    assert(client.maySend(bytes), `${bytes} bytes`);
    exchange(client, bytes);
  }
});

test('rejections are charged to the buffer until they are sent, and hold credit back', () => {
  const budget = new Budget(MIB);
  const credit = new SharedCredit(budget, 16_384);
  const neighbour = new Client(credit);
  const client = new Client(credit);
  const { stream } = client;
  for (let sent = 0; sent < LIMITS.creditFrames; sent++) {
    const frame = client.frame(1);
    stream.accepted(frame);
    for (let event = 1; event < 1_000; event++) stream.rejected(frame, event, 'schema', 'wrong');
    stream.endFrame(frame);
  }
  assert(budget.usedBytes > LIMITS.creditFrames * 1_000);
  const others = budget.eventLimitBytes * LIMITS.highWater.stop - budget.usedBytes;
  budget.charge(others);
  assert(budget.underPressure);
  const before = neighbour.credit;
  for (let sent = 0; sent < LIMITS.creditFrames; sent++) exchange(neighbour, 1);
  assert.deepEqual(neighbour.credit, before);
  settle(stream, 1, 1);
  stream.flush();
  const one = budget.usedBytes;
  for (let frame = 2; frame <= LIMITS.creditFrames; frame++) settle(stream, frame, 1);
  stream.flush();
  assert(budget.usedBytes < one);
  budget.release(others);
  assert.deepEqual([budget.usedBytes, budget.underPressure], [0, false]);
  neighbour.stream.flush();
  assert.equal(neighbour.credit.frames, 2 * before.frames);
});

test('rejections of a closed connection are not charged', () => {
  const budget = new Budget(MIB);
  const client = new Client(new SharedCredit(budget, 16_384));
  const frame = client.frame(1);
  client.stream.accepted(frame);
  client.stream.rejected(frame, 1, 'schema', 'wrong');
  client.stream.endFrame(frame);
  assert(budget.usedBytes > 0);
  client.stream.close();
  assert.equal(budget.usedBytes, 0);
  client.stream.rejected(frame, 0, 'timeout', 'late');
  settle(client.stream, frame, 1);
  assert.equal(budget.usedBytes, 0);
});

/** A frame of `events`, rejected for two reasons in turn: its nack has the maximum length. */
function reject(client: Client, events: number, accepted = 0): void {
  const { stream } = client;
  const frame = client.frame();
  for (let event = 0; event < events; event++) {
    stream.rejected(frame, event, event % 2 === 0 ? 'schema' : 'not_an_object', 'wrong');
  }
  for (let event = 0; event < accepted; event++) stream.accepted(frame);
  stream.endFrame(frame);
  if (accepted > 0) settle(stream, frame, accepted);
  stream.flush();
}

test('recent nack bytes delay credit while acks continue; it rises when they have decayed', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let nowMs = 5_000;
  t.mock.method(performance, 'now', () => nowMs);
  const client = new Client();
  const first = client.credit;
  for (let sent = 0; sent < first.frames; sent++) reject(client, 1_000);
  const nackBytes = client.nackBytes;
  assert.equal(client.acked, first.frames);
  assert(nackBytes > first.frames * 9_000, `${nackBytes}`);
  assert(client.credit.frames < first.frames + LIMITS.creditFrames / 2, 'it no longer rose');
  assert.equal(client.stream.beginFrame(1), undefined, 'all of it is used');
  let waitedMs = 0;
  while (client.credit.frames === first.frames) {
    assert(waitedMs < 3_600_000, 'it rises in the end');
    waitedMs += LIMITS.nackDebt.checkMs;
    nowMs += LIMITS.nackDebt.checkMs;
    client.announced = 0;
    t.mock.timers.tick(LIMITS.nackDebt.checkMs);
    if (client.announced > 0) client.stream.flush();
  }
  const { bytes, bytesPerSecond, checkMs } = LIMITS.nackDebt;
  const neededMs = ((nackBytes - bytes) / bytesPerSecond) * 1000;
  assert(waitedMs >= neededMs && waitedMs < neededMs + 2 * checkMs, `${waitedMs} of ${neededMs}`);
  assert.deepEqual(client.credit, { frames: 2 * first.frames, bytes: client.credit.bytes });
});

for (const [name, events, accepted, frames] of [
  ['one event in ten of frames of 100', 10, 90, 5_000],
  ['one event in ten of frames of 1,000', 100, 900, 2_000],
  ['half of all events', 500, 500, 1_000],
] as const) {
  test(`a client with ${name} invalid waits for no credit, however much it sends`, (t) => {
    t.mock.method(performance, 'now', () => 5_000);
    const client = new Client();
    for (let sent = 0; sent < frames; sent++) {
      reject(client, events, accepted);
      assert(client.maySend(MAX_FRAME_BYTES), `after ${sent} frames`);
    }
  });
}

test('credit does not rise while anything is unread, and does soon after it is read', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const client = new Client();
  const first = client.credit;
  client.unreadBytes = 1;
  for (let sent = 0; sent < first.frames; sent++) exchange(client, 1);
  assert.deepEqual([client.acked, client.credit], [first.frames, first]);
  for (let look = 0; look < 3; look++) {
    client.announced = 0;
    t.mock.timers.tick(LIMITS.nackDebt.checkMs);
    assert.equal(client.announced, 1);
    client.stream.flush();
    assert.deepEqual(client.credit, first);
  }
  client.unreadBytes = 0;
  t.mock.timers.tick(LIMITS.nackDebt.checkMs);
  client.stream.flush();
  assert.equal(client.credit.frames, 2 * first.frames);
});

test('a closed stream does not wait for credit', () => {
  const budget = new Budget(64 * MIB);
  const client = new Client(new SharedCredit(budget, MAX_FRAME_BYTES));
  const pressed = press(budget);
  for (let sent = 0; sent < client.credit.frames; sent++) exchange(client, 1);
  client.announced = 0;
  client.stream.close();
  budget.release(pressed);
  assert.equal(client.announced, 0);
});
