import assert from 'node:assert/strict';
import { afterEach, beforeEach, type TestContext, test } from 'node:test';
import { LIMITS, MIB } from '../../../src/limits.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';
import { PausedBodies, readBody } from '../../../src/worker/listener/body.ts';
import { BodyWatch } from '../../../src/worker/listener/body-watch.ts';
import { markChunked } from '../../../src/worker/listener/framing.ts';
import { fakeRequest } from '../../simulation/sockets.ts';
import { Response } from './response.ts';

let watch: BodyWatch;
beforeEach((t) => {
  (t as TestContext).mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  watch = new BodyWatch();
});
afterEach(() => watch.close());

/** A request whose parts come when the test says so. */
class Request extends Response {
  readonly budget = new Budget(4 * MIB);
  whole: string | undefined;
  tooLarge = 0;
  late = 0;
  aborted = 0;
  /** It went away before its body was whole. */
  gone = 0;

  constructor(encoding = '') {
    super();
    markChunked(this, fakeRequest('POST', '/events', { 'transfer-encoding': encoding }));
    readBody(this, new PausedBodies(this.budget), watch, {
      whole: (body) => {
        this.whole = String(body);
        return { abort: () => this.aborted++ };
      },
      tooLarge: () => this.tooLarge++,
      late: () => this.late++,
      gone: () => this.gone++,
    });
  }

  part(text: string, isLast = false): void {
    this.deliver(text, isLast);
  }

  /** @returns what ends it */
  press(): () => void {
    const bytes = this.budget.eventLimitBytes * LIMITS.highWater.stop;
    assert(this.budget.charge(bytes));
    return () => this.budget.release(bytes);
  }
}

test('a body in parts is put together; without pressure it is not paused', () => {
  const request = new Request();
  request.part('a');
  request.part('b');
  request.part('c', true);
  assert.equal(request.whole, 'abc');
  assert.equal(request.pauses, 0);
  request.abort();
  assert.equal(request.aborted, 1, 'who answers is told that nobody is there any more');
});

test('while the buffer is pressed a body is read no further; it goes on when there is room', () => {
  const request = new Request();
  const relieve = request.press();
  request.part('a');
  assert(request.paused);
  relieve();
  assert(!request.paused);
  request.part('b', true);
  assert.equal(request.whole, 'ab');
});

test('a body waits for room once and not for long', (t) => {
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

test('what was read before the pause may end the body: the connection is not left paused', () => {
  const request = new Request();
  request.press();
  request.part('a');
  request.part('b', true);
  assert.equal(request.whole, 'ab');
  assert(!request.paused);
});

test('a chunked body over its bound is refused at its end, or beyond another bound', () => {
  const whole = new Request('chunked');
  whole.part('x'.repeat(LIMITS.bodyBytes + 1));
  assert.equal(whole.tooLarge, 0);
  whole.part('y', true);
  assert.deepEqual([whole.tooLarge, whole.whole], [1, undefined]);
  const endless = new Request('chunked');
  endless.part('x'.repeat(LIMITS.bodyBytes + LIMITS.bodySkipBytes));
  assert.equal(endless.tooLarge, 0);
  for (let part = 0; part < 3; part++) endless.part('y');
  assert.equal(endless.tooLarge, 1);
  const left = new Request('chunked');
  left.part('x'.repeat(LIMITS.bodyBytes + 1));
  left.abort();
  assert.deepEqual([left.tooLarge, left.gone], [0, 1]);
});

test('a body over its bound is refused once, and the rest is skipped, paused or not', () => {
  const request = new Request();
  request.press();
  request.part('x'.repeat(LIMITS.bodyBytes));
  assert(request.paused);
  request.part('y');
  request.part('z', true);
  assert.equal(request.tooLarge, 1);
  assert.equal(request.whole, undefined);
  assert(!request.paused);
});

test('a client that goes away while its body is paused leaves nothing behind', () => {
  const request = new Request();
  const relieve = request.press();
  request.part('a');
  request.abort();
  relieve();
  assert(request.paused, 'nobody touches a response that is gone');
});

test('a body that dribbles is given up when its time is over, and not before', (t) => {
  const request = new Request();
  for (let ms = 0; ms < LIMITS.bodyMs; ms += LIMITS.bodyLookMs) {
    request.part('a');
    t.mock.timers.tick(LIMITS.bodyLookMs);
  }
  assert.equal(request.late, 0);
  assert.equal(request.resumes, 1, 'uWebSockets.js would have cut it without a word');
  t.mock.timers.tick(LIMITS.bodyLookMs);
  assert.equal(request.late, 1);
  request.part('b', true);
  assert.equal(request.whole, undefined);
  request.abort();
  assert.equal(request.gone, 0, 'it has had its answer');
});

test('a body that is whole, too large or gone is watched no longer', (t) => {
  const requests = [new Request(), new Request(), new Request()] as const;
  requests[0].part('a', true);
  requests[1].part('x'.repeat(LIMITS.bodyBytes + 1));
  requests[2].abort();
  t.mock.timers.tick(2 * LIMITS.bodyMs);
  for (const { late, resumes } of requests) assert.deepEqual([late, resumes], [0, 0]);
});
