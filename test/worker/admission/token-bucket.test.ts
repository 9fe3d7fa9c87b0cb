import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  charge,
  isInDebt,
  TokenBucket,
  takeToken,
  takeTokens,
  waitMs,
} from '../../../src/worker/admission/token-bucket.ts';

/** Number of `count` events accepted at `nowMs`. */
function through(buckets: readonly TokenBucket[], nowMs: number, count: number): number {
  let taken = 0;
  for (let event = 0; event < count; event++) if (takeToken(buckets, nowMs)) taken++;
  return taken;
}

test('the burst at once, then the rate, and never more than the burst after a pause', () => {
  const buckets = [new TokenBucket({ eventsPerSecond: 10, burst: 5 })];
  assert.equal(through(buckets, 1_000, 100), 5);
  assert.equal(through(buckets, 1_050, 100), 0, 'half a token');
  assert.equal(through(buckets, 1_100, 100), 1);
  assert.equal(through(buckets, 1_400, 100), 3);
  assert.equal(through(buckets, 3_600_000, 100), 5);
});

test('in any interval at most burst + rate x time, and no less under load', () => {
  const rates = fc.record({
    eventsPerSecond: fc.integer({ min: 1, max: 100_000 }),
    burst: fc.integer({ min: 1, max: 1_000 }),
  });
  const steps = fc.array(fc.record({ ms: fc.double({ min: 0, max: 500, noNaN: true }) }), {
    minLength: 1,
  });
  fc.assert(
    fc.property(rates, steps, (rate, pauses) => {
      const buckets = [new TokenBucket(rate)];
      let nowMs = 5_000;
      let taken = through(buckets, nowMs, rate.burst + 1);
      assert.equal(taken, rate.burst);
      for (const { ms } of pauses) {
        nowMs += ms;
        taken += through(buckets, nowMs, rate.burst + 1);
      }
      const allowed = rate.burst + ((nowMs - 5_000) / 1000) * rate.eventsPerSecond;
      assert(taken <= allowed + 1e-6, `${taken} of ${allowed}`);
    }),
  );
});

test('events are accepted after waitMs, and not 2 ms before', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 100_000 }),
      fc.integer({ min: 1, max: 1_000 }),
      fc.integer({ min: 1, max: 2_000 }),
      (eventsPerSecond, burst, events) => {
        const bucket = new TokenBucket({ eventsPerSecond, burst });
        through([bucket], 1_000, burst);
        const wait = waitMs([bucket], events);
        const expected = (Math.min(events, burst) / eventsPerSecond) * 1000;
        assert(wait > expected && wait <= expected + 1, `${wait} for ${expected}`);
        assert.equal(through([bucket], 1_000 + wait, events) >= Math.min(events, burst), true);
      },
    ),
  );
});

test('a token is required from both of two buckets, and a failure costs neither', () => {
  const own = new TokenBucket({ eventsPerSecond: 1, burst: 2 });
  const shared = new TokenBucket({ eventsPerSecond: 1, burst: 3 });
  const buckets = [own, shared];
  assert.equal(through(buckets, 1_000, 10), 2);
  assert.equal(through([shared], 1_000, 10), 1, 'the shared one has paid for two, not for ten');
  assert.equal(waitMs(buckets, 2), waitMs([shared], 2));
  assert.equal(
    waitMs([own], 99),
    waitMs([own], 2),
    'more than the burst is never available at once',
  );
});

test('a bucket that is not empty requires no wait', () => {
  assert.equal(waitMs([new TokenBucket({ eventsPerSecond: 1, burst: 1 })], 1), 0);
  assert.equal(waitMs([], 1), 0);
});

test('a debt is repaid before the next token, and never exceeds a burst', () => {
  const buckets = [new TokenBucket({ eventsPerSecond: 10, burst: 5 })];
  charge(buckets, 3, 1_000);
  assert(!isInDebt(buckets, 1_000), 'the tokens were available');
  assert.equal(through(buckets, 1_000, 10), 2);
  charge(buckets, 1, 1_000);
  assert(isInDebt(buckets, 1_000));
  assert.equal(waitMs(buckets, 1), 201);
  assert(!isInDebt(buckets, 1_100), 'it is repaid');
  assert.equal(through(buckets, 1_100, 10), 0, 'and no token is available');
  assert.equal(through(buckets, 1_200, 10), 1);
  charge(buckets, 1e9, 1_200);
  assert.equal(waitMs(buckets, 1), 601);
  assert.equal(buckets[0]!.fullAtMs, 2_200);
  assert.equal(through(buckets, 2_200, 10), 5);
});

test('tokens for several events are taken as far as both buckets have them, without debt', () => {
  const own = new TokenBucket({ eventsPerSecond: 1, burst: 5 });
  const shared = new TokenBucket({ eventsPerSecond: 1, burst: 8 });
  takeTokens([own, shared], 2, 1_000);
  takeTokens([own, shared], 10, 1_000);
  assert.deepEqual([through([own], 1_000, 10), through([shared], 1_000, 10)], [0, 3]);
  charge([own], 1, 1_000);
  takeTokens([own], 1, 1_000);
  assert.equal(waitMs([own], 1), 2_001, 'a debt stays as it is');
});
