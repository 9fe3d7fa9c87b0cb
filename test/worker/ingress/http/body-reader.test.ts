import assert from 'node:assert/strict';
import { afterEach, beforeEach, type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { KIB, LIMITS, MIB } from '../../../../src/config/limits.ts';
import { Budget } from '../../../../src/worker/accumulator/budget.ts';
import { BudgetShare } from '../../../../src/worker/accumulator/budget-share.ts';
import { PausedBodies, readBody } from '../../../../src/worker/ingress/http/body-reader.ts';
import { BodyTimeouts } from '../../../../src/worker/ingress/http/body-timeouts.ts';
import { markChunked } from '../../../../src/worker/ingress/http/framing.ts';
import { InputMemory } from '../../../../src/worker/overload/input-memory.ts';
import { FakeResponse, fakeRequest } from '../../../fakes/uws.ts';

const RATE = KIB;
let timeouts: BodyTimeouts;
beforeEach((t) => {
  (t as TestContext).mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  timeouts = new BodyTimeouts(RATE);
});
afterEach(() => timeouts.close());

/** A request whose chunks arrive when the test sends them. */
class Request extends FakeResponse {
  readonly budget: Budget | BudgetShare;
  readonly turn = {
    spent: false,
    overlong: false,
    number: 1,
    taken: 0,
    spend: (bytes: number) => {
      this.turn.taken += bytes;
      return !this.turn.spent;
    },
    afterTurn: (next: () => void) => setImmediate(next),
  };
  readonly pausing: PausedBodies;
  complete: string | undefined;
  skipped: number | undefined;
  tooLarge = 0;
  timedOut = 0;
  evicted = 0;
  flooded = 0;
  aborted = 0;
  /** It disconnected before its body was complete. */
  disconnected = 0;

  /** @param own the part of `whole` that its events use */
  constructor(
    encoding = '',
    memory = new InputMemory(64 * MIB),
    whole = new Budget(4 * MIB),
    own: Budget | BudgetShare = whole,
  ) {
    super();
    this.budget = own;
    this.pausing = new PausedBodies(whole, this.turn);
    markChunked(this, fakeRequest('POST', '/events', { 'transfer-encoding': encoding }));
    readBody(this, this.pausing, timeouts, memory, {
      isPressed: () => this.budget.underPressure,
      complete: (body) => {
        this.complete = String(body);
        return { abort: () => this.aborted++ };
      },
      skipped: (bytes) => {
        this.skipped = bytes;
        return { abort: () => this.aborted++ };
      },
      tooLarge: () => this.tooLarge++,
      timedOut: () => this.timedOut++,
      evicted: () => this.evicted++,
      flooded: () => this.flooded++,
      aborted: () => this.disconnected++,
    });
  }

  part(text: string, isLast = false): void {
    this.deliver(text, isLast);
  }

  /** @returns a function that ends it */
  press(): () => void {
    const bytes = this.budget.eventLimitBytes * LIMITS.highWater.stop;
    assert(this.budget.charge(bytes));
    return () => this.budget.release(bytes);
  }
}

test('a flood of tiny chunks closes its connection only in a turn without time left', () => {
  const { count, bytes } = LIMITS.spentChunks;
  const request = new Request();
  const tiny = () => {
    for (let chunk = 0; chunk < count; chunk++) request.part('x');
  };
  tiny();
  tiny();
  assert.equal(request.flooded, 0, 'there is time left');
  request.turn.spent = true;
  tiny();
  assert.equal(request.flooded, 0, 'within the limit');
  request.part('x');
  assert.equal(request.flooded, 1);
  request.turn.number++;
  tiny();
  assert.equal(request.flooded, 1, 'another turn');
  const large = new Request();
  large.turn.spent = true;
  for (let chunk = 0; chunk < 3 * count; chunk++) large.part('x'.repeat(bytes));
  assert.equal(large.flooded, 0, 'chunks with enough bytes');
});

test('the chunks of a body are joined; below the high-water mark it is not paused', () => {
  const request = new Request();
  request.part('a');
  request.part('b');
  request.part('c', true);
  assert.equal(request.complete, 'abc');
  assert.equal(request.pauses, 0);
  request.abort();
  assert.equal(request.aborted, 1, 'the pending response is aborted');
});

test('a body pauses while the buffer is above its high-water mark, and resumes below it', () => {
  const request = new Request();
  const relieve = request.press();
  request.part('a');
  assert(request.paused);
  relieve();
  assert(!request.paused);
  request.part('b', true);
  assert.equal(request.complete, 'ab');
});

test('a body that arrives in a turn without time left resumes in a later one', async () => {
  const request = new Request();
  for (const text of ['a', 'b']) {
    request.turn.spent = true;
    request.part(text);
    assert(request.paused);
    request.turn.spent = false;
    await turn();
    assert(!request.paused, 'it may wait more than once');
  }
  request.part('c', true);
  assert.equal(request.complete, 'abc');
});

test('a large body with a chunk in an overlong turn is not kept, whatever arrives before or later', () => {
  const memory = new InputMemory(64 * MIB);
  const large = 'x'.repeat(LIMITS.oneShotBytes);
  const request = new Request('', memory);
  request.part(large);
  assert(memory.bytes > 0, 'a turn with time');
  request.turn.overlong = true;
  request.part('y');
  assert.equal(memory.bytes, 0);
  request.turn.overlong = false;
  request.part('z');
  assert.equal(memory.bytes, 0, 'a chunk is missing');
  request.part('z', true);
  assert.deepEqual([request.complete, request.skipped], [undefined, large.length + 3]);
  request.abort();
  assert.equal(request.aborted, 1, 'the response is discarded');
  const short = new Request('', memory);
  short.turn.overlong = true;
  short.part(large, true);
  assert.equal(short.complete, large, 'short bodies cost little');
  const single = new Request('', memory);
  single.turn.overlong = true;
  single.part(`${large}x`, true);
  assert.deepEqual([single.complete, single.skipped], [undefined, large.length + 1]);
});

test('each chunk counts as input of the turn, including skipped ones', () => {
  const request = new Request('chunked');
  request.part('ab');
  assert.equal(request.turn.taken, 2);
  request.part('x'.repeat(LIMITS.bodyBytes));
  request.part('c');
  assert.equal(request.turn.taken, LIMITS.bodyBytes + 3);
});

test('some of the waiting bodies resume in each turn, in order of arrival', async () => {
  const requests = Array.from({ length: 3 * LIMITS.resumedBodies - 1 }, () => new Request());
  const [{ turn: shared, pausing }] = requests as [Request];
  shared.spent = true;
  for (const request of requests) pausing.pause(request, { isPressed: () => false }, 0);
  const waiting = () => requests.map((request) => request.paused);
  for (let turns = 1; turns <= 3; turns++) {
    await turn();
    const on = turns * LIMITS.resumedBodies;
    assert.deepEqual(
      waiting(),
      requests.map((_, index) => index >= on),
    );
  }
});

test('a body waits for the buffer for a limited time in all', (t) => {
  const request = new Request();
  request.press();
  request.part('a');
  t.mock.timers.tick(LIMITS.bodyPauseMs - 1);
  assert(request.paused);
  t.mock.timers.tick(1);
  assert(!request.paused);
  request.part('b');
  assert(!request.paused);
  assert.equal(request.pauses, 1);
});

test('a body in several parts waits for the buffer again, as long as it has time left', (t) => {
  const request = new Request();
  for (const text of ['a', 'b', 'c']) {
    const relieve = request.press();
    request.part(text);
    assert(request.paused, text);
    relieve();
    assert(!request.paused, text);
  }
  request.press();
  request.part('d');
  t.mock.timers.tick(LIMITS.bodyPauseMs);
  assert(!request.paused);
  request.part('e', true);
  assert.equal(request.complete, 'abcde');
});

test('the relief of another topic does not resume a body: it waits for its own', () => {
  const budget = new Budget(64 * MIB);
  const [own, other] = [new BudgetShare(budget, 0.5), new BudgetShare(budget, 0.5)];
  const memory = new InputMemory(64 * MIB);
  const request = new Request('', memory, budget, own);
  const press = (share: BudgetShare) => {
    while (!share.underPressure) assert(share.charge(KIB));
  };
  press(own);
  press(other);
  request.part('a');
  assert(request.paused);
  other.release(other.usedBytes);
  press(other);
  assert(own.underPressure && request.paused, 'only the other topic had relief');
  own.release(own.usedBytes);
  assert(!request.paused);
  assert.equal(request.resumes, 1);
});

test('data read before the pause may end the body: the connection does not stay paused', () => {
  const request = new Request();
  request.press();
  request.part('a');
  request.part('b', true);
  assert.equal(request.complete, 'ab');
  assert(!request.paused);
});

test('an oversized chunked body is rejected at its end, or beyond a second limit', () => {
  const whole = new Request('chunked');
  whole.part('x'.repeat(LIMITS.bodyBytes + 1));
  assert.equal(whole.tooLarge, 0);
  whole.part('y', true);
  assert.deepEqual([whole.tooLarge, whole.complete], [1, undefined]);
  const endless = new Request('chunked');
  endless.part('x'.repeat(LIMITS.bodyBytes + LIMITS.bodySkipBytes));
  assert.equal(endless.tooLarge, 0);
  for (let part = 0; part < 3; part++) endless.part('y');
  assert.equal(endless.tooLarge, 1);
  const left = new Request('chunked');
  left.part('x'.repeat(LIMITS.bodyBytes + 1));
  left.abort();
  assert.deepEqual([left.tooLarge, left.disconnected], [0, 1]);
});

test('an oversized body is rejected once and its rest is skipped, paused or not', () => {
  const request = new Request();
  request.press();
  request.part('x'.repeat(LIMITS.bodyBytes));
  assert(request.paused);
  request.part('y');
  request.part('z', true);
  assert.equal(request.tooLarge, 1);
  assert.equal(request.complete, undefined);
  assert(!request.paused);
});

test('a body resumes once after a pause: its connection is read on for the next request', () => {
  const request = new Request();
  const relieve = request.press();
  request.part('a');
  relieve();
  request.part('b', true);
  assert.deepEqual([request.pauses, request.resumes], [1, 1]);
});

test('a client that disconnects while its body is paused leaves nothing behind', () => {
  const request = new Request();
  const relieve = request.press();
  request.part('a');
  request.abort();
  relieve();
  assert(request.paused, 'an aborted response is not used');
});

/** Sends `bytes` per second for `ms`, or until the body times out. @returns the elapsed time */
function steady(t: TestContext, request: Request, bytes: number, ms: number): number {
  for (let passed = 0; passed < ms; passed += LIMITS.bodyCheckMs) {
    if (request.timedOut > 0) return passed;
    request.part('x'.repeat((bytes * LIMITS.bodyCheckMs) / 1_000));
    t.mock.timers.tick(LIMITS.bodyCheckMs);
  }
  return ms;
}

for (const [what, bytes] of [
  ['nothing', 0],
  ['a byte a second', 1],
  ['half the minimum rate, which doubles the grace period', RATE / 2],
] as const) {
  test(`a body of ${what} times out after its grace period, not before`, (t) => {
    const request = new Request();
    const graceMs = LIMITS.bodyGraceMs / (1 - bytes / RATE);
    const passedMs = steady(t, request, bytes, 2 * graceMs);
    assert(passedMs >= graceMs, `${passedMs} ms`);
    assert(passedMs <= graceMs + 2 * LIMITS.bodyCheckMs, `${passedMs} ms`);
    assert.equal(request.timedOut, 1);
    assert(request.resumes >= 2, 'uWebSockets.js would have cut it without a response');
    request.part('b', true);
    assert.equal(request.complete, undefined);
    request.abort();
    assert.equal(request.disconnected, 0, 'it has had its response');
  });
}

for (const [encoding, bytes] of [
  ['', RATE],
  ['chunked', RATE],
  ['', 4 * KIB],
  ['chunked', 16 * KIB],
] as const) {
  test(`a steady ${encoding} body of ${bytes} bytes/s is read up to the body limit`, (t) => {
    const request = new Request(encoding);
    steady(t, request, bytes, ((LIMITS.bodyBytes - 1) / bytes) * 1_000 - LIMITS.bodyCheckMs);
    assert.equal(request.timedOut, 0);
    request.part('y', true);
    assert(
      request.complete!.length > LIMITS.bodyBytes - 2 * bytes,
      `${request.complete!.length} bytes`,
    );
    assert.match(request.complete!, /^x+y$/);
  });
}

test('fast bytes earn at most the grace period, and a stall within it costs nothing', (t) => {
  const request = new Request();
  request.part('x'.repeat(LIMITS.bodyBytes / 2));
  t.mock.timers.tick(LIMITS.bodyGraceMs);
  assert.equal(request.timedOut, 0);
  for (let stall = 0; stall < 5; stall++) {
    request.part('x'.repeat(RATE * (LIMITS.bodyGraceMs / 1_000)));
    t.mock.timers.tick(LIMITS.bodyGraceMs - LIMITS.bodyCheckMs);
    assert.equal(request.timedOut, 0, `stall ${stall}`);
  }
  t.mock.timers.tick(2 * LIMITS.bodyCheckMs);
  assert.equal(request.timedOut, 1);
});

test('skipped bytes beyond the limit earn no time', (t) => {
  const request = new Request('chunked');
  request.part('x'.repeat(LIMITS.bodyBytes));
  t.mock.timers.tick(LIMITS.bodyCheckMs);
  steady(t, request, RATE, 2 * LIMITS.bodyGraceMs);
  assert.equal(request.timedOut, 1);
});

test('time while reading is paused is not charged to the client', (t) => {
  const request = new Request();
  t.mock.timers.tick(LIMITS.bodyGraceMs);
  request.press();
  request.part('a');
  assert(request.paused);
  t.mock.timers.tick(LIMITS.bodyPauseMs);
  assert.equal(request.timedOut, 0);
  t.mock.timers.tick(2 * LIMITS.bodyCheckMs);
  assert.equal(request.timedOut, 1);
});

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Collects garbage until memory stops shrinking: sweeping outlasts the collection itself. */
async function heldBytes(): Promise<number> {
  let before = Number.POSITIVE_INFINITY;
  for (;;) {
    collectGarbage();
    await turn();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    const held = heapUsed + arrayBuffers;
    if (held > before - KIB) return held;
    before = held;
  }
}

test('a body that arrives byte by byte takes a few times its bytes of memory, not hundreds', async () => {
  const bytes = 200_000;
  const rounds: number[] = [];
  for (let round = 0; round < 3; round++) {
    const request = new Request();
    const before = await heldBytes();
    for (let byte = 0; byte < bytes; byte++) request.part('x');
    rounds.push((await heldBytes()) - before);
    request.part('y', true);
    assert.equal(request.complete!.length, bytes + 1);
  }
  // The maximum: in the others the heap may have freed memory of earlier tests.
  const grown = Math.max(...rounds);
  assert(grown >= bytes && grown < 8 * bytes, `${rounds.join(', ')} bytes`);
});

test('a body that is complete, too large or aborted has no timeout', (t) => {
  const requests = [new Request(), new Request(), new Request()] as const;
  requests[0].part('a', true);
  requests[1].part('x'.repeat(LIMITS.bodyBytes + 1));
  requests[2].abort();
  t.mock.timers.tick(2 * LIMITS.bodyGraceMs);
  for (const { timedOut, resumes } of requests) assert.deepEqual([timedOut, resumes], [0, 0]);
});

test('incomplete bodies share one memory limit: of equal sizes, the oldest is evicted', () => {
  let ms = 0;
  const memory = new InputMemory(4 * MIB, () => ++ms);
  const requests = Array.from({ length: 20 }, () => {
    const request = new Request('', memory);
    // Allocated bytes count, not received ones.
    for (let part = 0; part < 33; part++) request.part('x'.repeat(16 * KIB));
    return request;
  });
  assert.equal(memory.bytes, 4 * MIB);
  assert.deepEqual(
    requests.map(({ evicted }) => evicted),
    [...Array(16).fill(1), ...Array(4).fill(0)],
  );
  for (const request of requests) request.part('y', true);
  assert.deepEqual(
    requests.map(({ complete }) => complete !== undefined),
    [...Array(16).fill(false), ...Array(4).fill(true)],
  );
  assert.equal(memory.bytes, 0, 'a body passed on is not charged here');
});

test('a body that has ended in any way is neither charged nor evicted', (t) => {
  const memory = new InputMemory(4 * MIB);
  const begin = () => {
    const request = new Request('chunked', memory);
    request.part('x'.repeat(100));
    assert.equal(memory.bytes, 4 * KIB);
    return request;
  };
  const tooLarge = begin();
  tooLarge.part('x'.repeat(LIMITS.bodyBytes));
  assert.equal(memory.bytes, 0, 'skipped bytes are not kept');
  begin().abort();
  assert.equal(memory.bytes, 0);
  const late = begin();
  t.mock.timers.tick(LIMITS.bodyGraceMs + LIMITS.bodyCheckMs);
  assert.deepEqual([late.timedOut, memory.bytes], [1, 0]);
  memory.evictDownTo(0);
  assert.equal(late.evicted, 0);
});

test('a body evicted while paused resumes: a reset would lose its response', () => {
  const memory = new InputMemory(4 * MIB);
  const request = new Request('', memory);
  request.press();
  request.part('a');
  assert(request.paused);
  memory.evictDownTo(0);
  assert.deepEqual([request.evicted, request.paused], [1, false]);
  request.abort();
  assert.equal(request.disconnected, 0, 'it has had its response');
});
